#include <stdio.h>
#include <stdlib.h>
int main(int argc,char**argv){ printf("hello %d %s %f\n",argc,argv[0],1.5); char*p=malloc(100); p[0]=1; return 0;}
