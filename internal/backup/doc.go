// Package backup reads and writes the file of `senim backup`: one installation
// of `senim up` in an ordinary tar archive, which tar and pg_restore read
// without us too.
//
// Its members, in this order:
//
//	manifest.json     format, time, and the size and SHA-256 of all that follows
//	manifest.sha256   the digest of the manifest, as sha256sum writes it
//	database.dump     pg_dump's custom format
//	files/…           private and public files by their place in the installation,
//	                  sorted by name
//
// The digests find damage, not malice: whoever can change a backup can compute
// them again. A backup holds keys and personal data; where it is kept, and who
// may read it, is its protection.
//
// A backup that is read is hostile until proven whole. Open reads all of it
// before anything is written anywhere, and refuses what Write would not have
// written: links and devices, names that lead elsewhere, members that are too
// many, too large, missing, unknown or out of order, and bytes after the end.
//
// The package knows nothing of what the files mean, and starts no database.
// Called by cmd/senim.
package backup
