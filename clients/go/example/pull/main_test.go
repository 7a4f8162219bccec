package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"portolan/clients/go/internal/fake"
)

func TestPull(t *testing.T) {
	var gateway fake.Gateway
	all := map[string][]byte{}
	var lines []string
	root := fake.Image(func(desc ocispec.Descriptor, content []byte) {
		name := ""
		if desc.MediaType == ocispec.MediaTypeImageIndex {
			name = "docker.io/library/alpine:3"
		}
		gateway.Put(name, desc.MediaType, content)
		all[desc.Digest.Encoded()] = content
		lines = append(lines, fmt.Sprintln(desc.Digest, desc.Size, desc.MediaType))
	})
	var out bytes.Buffer
	folder := t.TempDir()
	if err := pull(t.Context(), &out, gateway.Serve(t), "alpine:3", folder); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &out)

	// The shared layer is met twice, and the root comes first.
	told := strings.SplitAfter(strings.TrimSuffix(out.String(), "\n"), "\n")
	last := "docker.io/library/alpine:3 is " + root.Digest.String()
	if told[len(told)-1] != last || !strings.HasPrefix(told[0], root.Digest.String()) {
		t.Errorf("told\n%s", &out)
	}
	told = told[:len(told)-1]
	slices.Sort(told)
	slices.Sort(lines)
	if got := slices.Compact(told); !slices.Equal(got, lines) {
		t.Errorf("told %v, not %v", got, lines)
	}

	blobs := filepath.Join(folder, "blobs", "sha256")
	kept, err := os.ReadDir(blobs)
	if err != nil || len(kept) != len(all) {
		t.Errorf("kept %v, %v", kept, err)
	}
	for name, content := range all {
		if got, err := os.ReadFile(filepath.Join(blobs, name)); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}
