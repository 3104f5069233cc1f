package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/senim-kz/senim/internal/fault"
)

// bytesMax is far above what a sandbox gathers.
const bytesMax = 64 << 20

// Load fills v from the file; found is false where there is none yet.
func Load(path string, v any) (found bool, err error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("find the sandbox's state: %w", err)
	}
	if info.Size() > bytesMax {
		return false, fault.New(fault.InputTooBig, path, "the sandbox's state has %d bytes", info.Size())
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return false, fmt.Errorf("read the sandbox's state: %w", err)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return false, fault.Wrap(err, fault.Unreadable, path, "the sandbox's state is damaged; remove the folder to begin anew")
	}
	return true, nil
}

// Save writes v to the file, which only its owner can read: keys are in it.
func Save(path string, v any) (err error) {
	data, err := json.MarshalIndent(v, "", "\t")
	if err != nil {
		return fmt.Errorf("encode the sandbox's state: %w", err)
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the sandbox's folder: %w", err)
	}
	f, err := os.CreateTemp(dir, filepath.Base(path)+".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("write the sandbox's state: %w", err)
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("write the sandbox's state: %w", err), os.Remove(f.Name()))
	}
	return syncFolder(dir)
}

// syncFolder makes the new name durable.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("open the sandbox's folder: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("flush the sandbox's folder: %w", err)
	}
	return nil
}
