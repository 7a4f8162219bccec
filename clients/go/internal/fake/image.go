package fake

import (
	"bytes"
	"encoding/json"

	"github.com/opencontainers/go-digest"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

// Image makes an image for two platforms that share a layer of several chunks. All of it is handed to put, children
// first; what is returned is the root.
func Image(put func(desc ocispec.Descriptor, bytes []byte)) ocispec.Descriptor {
	add := func(mediaType string, bytes []byte) ocispec.Descriptor {
		desc := ocispec.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(bytes), Size: int64(len(bytes))}
		put(desc, bytes)
		return desc
	}
	document := func(mediaType string, value any) ocispec.Descriptor {
		bytes, err := json.Marshal(value)
		if err != nil {
			panic(err)
		}
		return add(mediaType, bytes)
	}
	shared := add(ocispec.MediaTypeImageLayer, bytes.Repeat([]byte("shared\n"), 400_000))
	index := ocispec.Index{MediaType: ocispec.MediaTypeImageIndex}
	index.SchemaVersion = 2
	for _, architecture := range []string{"amd64", "arm64"} {
		platform := ocispec.Platform{OS: "linux", Architecture: architecture}
		own := add(ocispec.MediaTypeImageLayer, []byte("for "+architecture+"\n"))
		config := document(ocispec.MediaTypeImageConfig, ocispec.Image{
			Platform: platform,
			RootFS:   ocispec.RootFS{Type: "layers", DiffIDs: []digest.Digest{shared.Digest, own.Digest}},
		})
		manifest := ocispec.Manifest{
			MediaType: ocispec.MediaTypeImageManifest, Config: config, Layers: []ocispec.Descriptor{shared, own},
		}
		manifest.SchemaVersion = 2
		desc := document(ocispec.MediaTypeImageManifest, manifest)
		desc.Platform = &platform
		index.Manifests = append(index.Manifests, desc)
	}
	return document(ocispec.MediaTypeImageIndex, index)
}
