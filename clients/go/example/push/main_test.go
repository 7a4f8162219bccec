package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	ocispec "github.com/opencontainers/image-spec/specs-go/v1"

	"portolan/clients/go/internal/fake"
)

func TestPush(t *testing.T) {
	folder := t.TempDir()
	blobs := filepath.Join(folder, "blobs", "sha256")
	if err := os.MkdirAll(blobs, 0o755); err != nil {
		t.Fatal(err)
	}
	put := func(path string, content []byte) {
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	all := map[string]string{}
	root := fake.Image(func(desc ocispec.Descriptor, content []byte) {
		put(filepath.Join(blobs, desc.Digest.Encoded()), content)
		all[desc.Digest.String()] = desc.MediaType
	})
	layout, err := json.Marshal(ocispec.Index{Manifests: []ocispec.Descriptor{root}})
	if err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(folder, ocispec.ImageIndexFile), layout)

	var gateway fake.Gateway
	var out bytes.Buffer
	if err := push(t.Context(), &out, gateway.Serve(t), "registry.example/app:1", folder); err != nil {
		t.Fatal(err)
	}
	if got, want := out.String(), "registry.example/app:1 is "+root.Digest.String()+"\n"; got != want {
		t.Errorf("told %q, not %q", got, want)
	}
	if got := gateway.Tagged("registry.example/app:1"); got != root.Digest {
		t.Errorf("the tag means %q", got)
	}
	pushes := gateway.Pushes()
	for i, push := range pushes {
		isLast := i == len(pushes)-1
		if (push.Digest == root.Digest) != isLast || (push.Name != "") != isLast {
			t.Errorf("push %d of %d: %+v", i, len(pushes), push)
		}
		if push.MediaType != all[push.Digest.String()] {
			t.Errorf("%s came as %s", push.Digest, push.MediaType)
		}
	}
	seen := map[string]bool{}
	for _, push := range pushes {
		seen[push.Digest.String()] = true
	}
	if len(seen) != len(all) {
		t.Errorf("pushed %v of %v", seen, all)
	}
}
