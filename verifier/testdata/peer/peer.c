/* The peer of the benchmarks of package verifier. Arguments: the CMS message in
 * DER and the root's certificate in PEM. It prints "ready" with what it can do, reads lines
 * "OPERATION MILLISECONDS" and answers each with the operations done and the CPU
 * seconds they took.
 *   cms   d2i_CMS_ContentInfo and CMS_verify with the root in the store
 *   gost  one verification of GOST R 34.10-2012 with 512 bits by gost-engine */
#include <openssl/cms.h>
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static unsigned char message[1 << 20];
static long message_size;
static X509_STORE *store;

static int cms_once(void) {
    const unsigned char *p = message;
    CMS_ContentInfo *cms = d2i_CMS_ContentInfo(NULL, &p, message_size);
    BIO *out = BIO_new(BIO_s_mem());
    int ok = cms && out && CMS_verify(cms, NULL, store, NULL, out, CMS_BINARY) == 1;
    BIO_free(out);
    CMS_ContentInfo_free(cms);
    return ok;
}

static EVP_PKEY *gost_key;
static unsigned char digest[64] = {3, 10, 17}, signature[128];
static size_t signature_size = sizeof signature;

static int gost_once(void) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(gost_key, NULL);
    int ok = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
             EVP_PKEY_verify(ctx, signature, signature_size, digest, sizeof digest) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int gost_prepare(void) {
    ENGINE_load_builtin_engines();
    ENGINE *e = ENGINE_by_id("gost");
    if (!e || !ENGINE_init(e)) return 0;
    ENGINE_set_default(e, ENGINE_METHOD_ALL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(OBJ_txt2nid("gost2012_512"), e);
    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_CTX_ctrl_str(ctx, "paramset", "A") <= 0 ||
        EVP_PKEY_keygen(ctx, &gost_key) <= 0)
        return 0;
    EVP_PKEY_CTX_free(ctx);
    ctx = EVP_PKEY_CTX_new(gost_key, NULL);
    int ok = ctx && EVP_PKEY_sign_init(ctx) > 0 &&
             EVP_PKEY_sign(ctx, signature, &signature_size, digest, sizeof digest) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok && gost_once();
}

static int cms_prepare(const char *file, const char *root) {
    FILE *f = fopen(file, "rb");
    if (!f) return 0;
    message_size = (long)fread(message, 1, sizeof message, f);
    fclose(f);
    store = X509_STORE_new();
    return store && X509_STORE_load_locations(store, root, NULL) == 1 && cms_once();
}

int main(int argc, char **argv) {
    if (argc != 3) return 2;
    int cms = cms_prepare(argv[1], argv[2]), gost = gost_prepare();
    printf("ready%s%s\n", cms ? " cms" : "", gost ? " gost" : "");
    fflush(stdout);
    char operation[16];
    long milliseconds;
    while (scanf("%15s %ld", operation, &milliseconds) == 2) {
        int (*once)(void) = strcmp(operation, "gost") == 0 ? gost_once : cms_once;
        double start = cpu_seconds(), used = 0;
        long done = 0;
        for (; used < milliseconds / 1e3; used = cpu_seconds() - start) {
            for (int i = 0; i < 16; i++, done++)
                if (!once()) return 1;
        }
        printf("%ld %f\n", done, used);
        fflush(stdout);
    }
    return 0;
}
