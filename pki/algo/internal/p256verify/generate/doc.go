// Command generate writes the additions of points of p256verify in assembly: one
// with MULX, ADCX and ADOX, and eight at once with AVX-512 IFMA. Run it by go
// generate in pki/algo/internal/p256verify; a test there fails when its output
// differs from what is committed.
package main
