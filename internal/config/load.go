package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/senim-kz/senim/internal/fault"
)

const (
	// fileSizeMax bounds the configuration file: a real one has 2 KiB.
	fileSizeMax = 1 << 20
	// environmentPrefix begins every override: SENIM_DATABASE_DSN_FILE is
	// database.dsn_file.
	environmentPrefix = "SENIM_"
)

// Load reads the file, applies overrides from the environment (as os.Environ
// gives it), fills defaults and checks. Errors: config_invalid, config_unsafe;
// every faulty key has its own line.
func Load(path string, environ []string) (*Config, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, path, "cannot be opened")
	}
	defer f.Close()
	raw, err := io.ReadAll(io.LimitReader(f, fileSizeMax+1))
	if err != nil {
		return nil, fault.Wrap(err, fault.ConfigBad, path, "cannot be read")
	}
	if len(raw) > fileSizeMax {
		return nil, fault.New(fault.ConfigBad, path, "larger than %d bytes", fileSizeMax)
	}
	c, err := parse(raw, environ)
	if err != nil {
		return nil, err
	}
	return c, c.Check()
}

func parse(raw []byte, environ []string) (*Config, error) {
	var c Config
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	decoder.KnownFields(true)
	if err := decoder.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
		return nil, fault.Wrap(err, fault.ConfigBad, "", "not the YAML that is expected")
	}
	if err := decoder.Decode(new(any)); !errors.Is(err, io.EOF) {
		return nil, fault.New(fault.ConfigBad, "", "more than one YAML document")
	}
	values := make(map[string]string)
	for _, entry := range environ {
		if name, value, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, environmentPrefix) {
			values[name] = value
		}
	}
	if err := override(reflect.ValueOf(&c).Elem(), environmentPrefix, values); err != nil {
		return nil, err
	}
	c.SetDefaults()
	return &c, nil
}

// override sets every field whose variable is there. A list is separated by
// commas.
func override(v reflect.Value, prefix string, values map[string]string) error {
	for i := range v.NumField() {
		key := v.Type().Field(i).Tag.Get("yaml")
		if key == "-" {
			continue
		}
		name := prefix + strings.ToUpper(key)
		if v.Field(i).Kind() == reflect.Struct {
			if err := override(v.Field(i), name+"_", values); err != nil {
				return err
			}
			continue
		}
		if text, there := values[name]; there {
			if err := set(v.Field(i), text); err != nil {
				return fault.Wrap(err, fault.ConfigBad, name, "has the wrong form")
			}
		}
	}
	return nil
}

func set(field reflect.Value, text string) error {
	switch field.Interface().(type) {
	case string, TokenOrder:
		field.SetString(text)
	case int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return errors.New("want a number")
		}
		field.SetInt(int64(n))
	case bool:
		b, err := strconv.ParseBool(text)
		if err != nil {
			return errors.New("want true or false")
		}
		field.SetBool(b)
	case float64:
		f, err := strconv.ParseFloat(text, 64)
		if err != nil {
			return errors.New("want a number")
		}
		field.SetFloat(f)
	case time.Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return errors.New("want a duration such as 30s")
		}
		field.SetInt(int64(d))
	case []string:
		field.Set(reflect.ValueOf(strings.Split(text, ",")))
	default:
		return fmt.Errorf("no override for a %s", field.Type())
	}
	return nil
}
