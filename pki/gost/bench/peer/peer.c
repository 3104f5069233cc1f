/* The peer of the benchmark: OpenSSL's gost-engine through EVP. It reads lines
 * "OPERATION MILLISECONDS" and answers each with the operations done and the CPU
 * seconds they took, or with a line that begins with "error". */
#include <openssl/engine.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

static double cpu_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

struct signing {
    EVP_PKEY *key;
    unsigned char digest[64], signature[128];
    size_t digest_size, signature_size;
};

static int sign_once(struct signing *s) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(s->key, NULL);
    s->signature_size = sizeof s->signature;
    int ok = ctx && EVP_PKEY_sign_init(ctx) > 0 &&
             EVP_PKEY_sign(ctx, s->signature, &s->signature_size, s->digest, s->digest_size) > 0;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int verify_once(struct signing *s) {
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(s->key, NULL);
    int ok = ctx && EVP_PKEY_verify_init(ctx) > 0 &&
             EVP_PKEY_verify(ctx, s->signature, s->signature_size, s->digest, s->digest_size) == 1;
    EVP_PKEY_CTX_free(ctx);
    return ok;
}

static int make_key(ENGINE *e, struct signing *s, const char *algorithm, const char *set, size_t size) {
    ENGINE_set_default(e, ENGINE_METHOD_ALL);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(OBJ_txt2nid(algorithm), e);
    if (!ctx || EVP_PKEY_keygen_init(ctx) <= 0 || EVP_PKEY_CTX_ctrl_str(ctx, "paramset", set) <= 0 ||
        EVP_PKEY_keygen(ctx, &s->key) <= 0)
        return 0;
    EVP_PKEY_CTX_free(ctx);
    s->digest_size = size;
    for (size_t i = 0; i < size; i++) s->digest[i] = (unsigned char)(7 * i + 3);
    return sign_once(s) && verify_once(s);
}

static unsigned char data[1 << 16];

static int hash_once(const EVP_MD *md) {
    unsigned char out[EVP_MAX_MD_SIZE];
    unsigned int size;
    return EVP_Digest(data, sizeof data, out, &size, md, NULL);
}

int main(void) {
    ENGINE_load_builtin_engines();
    ENGINE *e = ENGINE_by_id("gost");
    if (!e || !ENGINE_init(e)) {
        puts("error: no gost engine");
        return 1;
    }
    /* The paramset names are the engine's own: A of 256 bits is CryptoPro-A. */
    static struct { const char *operation, *algorithm, *set; size_t size; struct signing key; } keys[] = {
        {"verify512", "gost2012_512", "A", 64, {0}},   {"verify512C", "gost2012_512", "C", 64, {0}},
        {"verify256", "gost2012_256", "A", 32, {0}},   {"verify256TCA", "gost2012_256", "TCA", 32, {0}},
        {"verify256B", "gost2012_256", "B", 32, {0}},
    };
    enum { KEYS = sizeof keys / sizeof keys[0] };
    for (int i = 0; i < KEYS; i++) {
        if (!make_key(e, &keys[i].key, keys[i].algorithm, keys[i].set, keys[i].size)) {
            puts("error: no keys");
            return 1;
        }
    }
    const EVP_MD *streebog = EVP_get_digestbyname("md_gost12_512");
    const EVP_MD *gost94 = EVP_get_digestbyname("md_gost94");
    if (!streebog || !gost94) {
        puts("error: no hash functions");
        return 1;
    }
    char operation[32];
    int milliseconds;
    puts("ready");
    fflush(stdout);
    while (scanf("%31s %d", operation, &milliseconds) == 2) {
        long done = 0;
        int ok = 1, subject = -1;
        for (int i = 0; i < KEYS; i++)
            if (!strcmp(operation, keys[i].operation)) subject = i;
        double start = cpu_seconds(), now = start;
        while (ok && now - start < milliseconds * 1e-3) {
            if (subject >= 0) ok = verify_once(&keys[subject].key);
            else if (!strcmp(operation, "sign512")) ok = sign_once(&keys[0].key);
            else if (!strcmp(operation, "streebog512")) ok = hash_once(streebog);
            else if (!strcmp(operation, "gost341194")) ok = hash_once(gost94);
            else ok = 0;
            done++;
            now = cpu_seconds();
        }
        if (ok) printf("%ld %.9f\n", done, now - start);
        else puts("error: it failed");
        fflush(stdout);
    }
    return 0;
}
