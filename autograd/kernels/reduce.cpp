#include <cmath>
#include <cstring>
#include <algorithm>
#include <vector>
#include "autograd/kernels/reduce.h"
#include "autograd/kernels/rows.h"
namespace tapegrad::kernels {
template<class T> void red(Reduce k, const Reduction& r, const T* x, T* y) {
  int64_t nk=1,nr=1; for(int i=0;i<r.rank_kept;i++) nk*=r.kept[i]; for(int i=0;i<r.rank_reduced;i++) nr*=r.reduced[i];
  for(int64_t a=0;a<nk;a++){ int64_t off=0,t=a; for(int d=r.rank_kept-1;d>=0;d--){off+=t%r.kept[d]*r.kept_stride[d]; t/=r.kept[d];}
    std::vector<double> v; for(int64_t b=0;b<nr;b++){int64_t o=off,u=b; for(int d=r.rank_reduced-1;d>=0;d--){o+=u%r.reduced[d]*r.reduced_stride[d];u/=r.reduced[d];} v.push_back((double)x[o]);}
    double s=0,m=-INFINITY; bool nan=false; for(double q:v){s+=q; if(std::isnan(q))nan=true; m=std::max(m,q);} 
    double res; switch(k){case Reduce::sum:res=s;break;case Reduce::mean:res=s/(double)nr;break;case Reduce::amax:res=nan?NAN:m;break;case Reduce::amin:res=0;break;
      default:{ if(nan)res=NAN; else if(std::isinf(m))res=m; else {double e=0;for(double q:v)e+=std::exp(q-m);res=m+std::log(e);} } }
    y[a]=(T)res; } }
void reduce(Reduce kind, DType d, const Reduction& r, const void* x, void* y){ if(d==DType::float32)red(kind,r,(const float*)x,(float*)y); else if(d==DType::float64)red(kind,r,(const double*)x,(double*)y); else red(kind,r,(const int64_t*)x,(int64_t*)y);}
#define D2(f) if(d==DType::float32){using T=float;f;}else{using T=double;f;}
template<class T> void mwi(const T*x,T*v,int64_t*i,int64_t o,int64_t n,int64_t in){for(int64_t a=0;a<o;a++)for(int64_t c=0;c<in;c++){int64_t best=0;for(int64_t b=1;b<n;b++){T q=x[(a*n+b)*in+c],w=x[(a*n+best)*in+c]; if(!(w!=w)&&(q>w||q!=q))best=b;} if(v)v[a*in+c]=x[(a*n+best)*in+c]; i[a*in+c]=best;}}
void max_with_index(DType d,const void*x,void*v,int64_t*i,int64_t o,int64_t n,int64_t in){ D2(mwi((const T*)x,(T*)v,i,o,n,in)) }
template<class T> void rd(const T*a,const T*b,T*y,int64_t o,int64_t n){for(int64_t r=0;r<o;r++){double s=0;for(int64_t i=0;i<n;i++)s+=(double)a[r*n+i]*b[r*n+i];y[r]=(T)s;}}
void row_dot(DType d,const void*a,const void*b,void*y,int64_t o,int64_t n){ D2(rd((const T*)a,(const T*)b,(T*)y,o,n))}
template<class T> void sm(const T*x,T*y,int64_t o,int64_t n,int64_t in,bool lg){for(int64_t a=0;a<o;a++)for(int64_t c=0;c<in;c++){auto at=[&](int64_t b){return (a*n+b)*in+c;};double m=-INFINITY,s=0;for(int64_t b=0;b<n;b++)m=std::max(m,(double)x[at(b)]);for(int64_t b=0;b<n;b++)s+=std::exp(x[at(b)]-m);for(int64_t b=0;b<n;b++)y[at(b)]=lg?(T)(x[at(b)]-m-std::log(s)):(T)(std::exp(x[at(b)]-m)/s);}}
template<class T> void smb(const T*g,const T*yy,T*dx,int64_t o,int64_t n,int64_t in,bool lg){for(int64_t a=0;a<o;a++)for(int64_t c=0;c<in;c++){auto at=[&](int64_t b){return (a*n+b)*in+c;};double s=0;for(int64_t b=0;b<n;b++)s+=lg?(double)g[at(b)]:(double)g[at(b)]*yy[at(b)];for(int64_t b=0;b<n;b++)dx[at(b)]=lg?(T)(g[at(b)]-std::exp(yy[at(b)])*s):(T)(yy[at(b)]*(g[at(b)]-s));}}
void softmax(DType d,const void*x,void*y,int64_t o,int64_t n,int64_t i){D2(sm((const T*)x,(T*)y,o,n,i,false))}
void log_softmax(DType d,const void*x,void*y,int64_t o,int64_t n,int64_t i){D2(sm((const T*)x,(T*)y,o,n,i,true))}
void softmax_backward(DType d,const void*g,const void*y,void*dx,int64_t o,int64_t n,int64_t i){D2(smb((const T*)g,(const T*)y,(T*)dx,o,n,i,false))}
void log_softmax_backward(DType d,const void*g,const void*y,void*dx,int64_t o,int64_t n,int64_t i){D2(smb((const T*)g,(const T*)y,(T*)dx,o,n,i,true))}
template<class T> void ce(const T*x,const int64_t*t,T*l,int64_t r,int64_t c){for(int64_t a=0;a<r;a++){double m=-INFINITY,s=0;for(int64_t b=0;b<c;b++)m=std::max(m,(double)x[a*c+b]);for(int64_t b=0;b<c;b++)s+=std::exp(x[a*c+b]-m);l[a]=(T)(m+std::log(s)-x[a*c+t[a]]);}}
template<class T> void ceb(const T*x,const int64_t*t,const T*sc,T*dx,int64_t r,int64_t c){for(int64_t a=0;a<r;a++){double m=-INFINITY,s=0;for(int64_t b=0;b<c;b++)m=std::max(m,(double)x[a*c+b]);for(int64_t b=0;b<c;b++)s+=std::exp(x[a*c+b]-m);for(int64_t b=0;b<c;b++)dx[a*c+b]=(T)((std::exp(x[a*c+b]-m)/s-(b==t[a]))*sc[a]);}}
void cross_entropy_rows(DType d,const void*x,const int64_t*t,void*l,int64_t r,int64_t c){D2(ce((const T*)x,t,(T*)l,r,c))}
void cross_entropy_rows_backward(DType d,const void*x,const int64_t*t,const void*s,void*dx,int64_t r,int64_t c){D2(ceb((const T*)x,t,(const T*)s,(T*)dx,r,c))}
}
