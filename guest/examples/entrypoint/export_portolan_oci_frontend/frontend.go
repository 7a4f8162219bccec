// Package export_portolan_oci_frontend is what the world asks a component to export: the interface `frontend`. The
// bindings look for it under this name.
//
// It walks the whole way that every question about an image takes: a reference, its root, the manifest for a platform, the
// config. Where a judgement is needed (which entry does a name mean, which one is for the platform) it asks the strategy, so
// that it answers as every other command does.
package export_portolan_oci_frontend

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	fetcher "entrypoint/bindings/portolan_oci_fetcher"
	frontend "entrypoint/bindings/portolan_oci_frontend"
	host "entrypoint/bindings/portolan_oci_host"
	resolver "entrypoint/bindings/portolan_oci_resolver"
	strategy "entrypoint/bindings/portolan_oci_strategy"
	types "entrypoint/bindings/portolan_oci_types"
	"entrypoint/command"

	wit "go.bytecodealliance.org/pkg/wit/types"
)

// Deeper than any tool nests. The host bounds what a run may read; this bounds what a person waits for.
const deepest = 8

// The status of a response with --runnable, where there is nothing to run.
const nothingToRun = 6

// Describe is asked before anything else, and makes the command line.
func Describe() frontend.Info {
	return frontend.Info{
		Name:    "entrypoint",
		Version: "1.0.0",
		Summary: "Say what a container of an image would run",
		Parameters: []frontend.Parameter{
			{Name: "ref", Kind: frontend.MakeKindPullReference(), Help: "The image", Required: true, Positional: true},
			{Name: "arg", Kind: frontend.MakeKindText(), Help: "What to run instead of the image's own arguments",
				Repeated: true, Positional: true},
			{Name: "platform", Short: wit.Some("p"), Kind: frontend.MakeKindText(),
				Help: "For which platform; this machine's otherwise"},
			{Name: "runnable", Kind: frontend.MakeKindFlag(), Help: "End with status 6 where there is nothing to run"},
		},
		Formats: []string{"text", "json"},
	}
}

// Solve answers one question.
func Solve(request frontend.Request) wit.Result[frontend.Response, types.Failure] {
	response, err := solve(asked(request))
	if err != nil {
		return wit.Err[frontend.Response](failure(err))
	}
	return wit.Ok[frontend.Response, types.Failure](response)
}

type question struct {
	reference, platform, mode, format string
	runnable                          bool
	typed                             []string
}

// A request has what was given, in the order given. Of what is not repeated the last one counts.
func asked(request frontend.Request) question {
	asks := question{mode: "strict", format: "text"}
	for _, argument := range request.Arguments {
		switch argument.F0 {
		case "ref":
			asks.reference = argument.F1
		case "platform":
			asks.platform = argument.F1
		case "mode":
			asks.mode = argument.F1
		case "format":
			asks.format = argument.F1
		case "runnable":
			asks.runnable = argument.F1 == "true"
		case "arg":
			asks.typed = append(asks.typed, argument.F1)
		}
	}
	if asks.platform == "" {
		asks.platform = host.Platform()
	}
	return asks
}

func solve(asks question) (frontend.Response, error) {
	root, err := asks.find()
	if err != nil {
		return frontend.Response{}, err
	}
	manifest, err := asks.choose(root.Repository, root.Descriptor, 0)
	if err != nil {
		return frontend.Response{}, err
	}
	if manifest == nil {
		return frontend.Response{}, notFound("%s has no image for %s", shown(asks.reference), asks.platform)
	}
	says, err := config(root.Repository, *manifest)
	if err != nil {
		return frontend.Response{}, err
	}
	process, err := command.Of(says, asks.typed)
	if err != nil {
		return frontend.Response{}, err
	}
	response := frontend.Response{
		MediaType: "text/plain",
		Body:      frontend.MakeBodyText(process.String()),
		Metadata:  []wit.Tuple2[string, string]{{F0: "image.digest", F1: manifest.Digest}},
	}
	if asks.runnable && len(process.Args) == 0 {
		response.Status = nothingToRun
	}
	if asks.format == "json" {
		answer := struct {
			Reference string `json:"reference"`
			Manifest  string `json:"manifest"`
			command.Process
		}{shown(asks.reference), manifest.Digest, process}
		text, err := json.MarshalIndent(answer, "", "  ")
		if err != nil {
			return frontend.Response{}, err
		}
		response.MediaType, response.Body = "application/json", frontend.MakeBodyText(string(text)+"\n")
	}
	return response, nil
}

var inStore = regexp.MustCompile(`^([a-z-]+://[^/:@]+)([^@]*)(@.*)?$`)

// What the reference means now. A registry knows its names; those in a store are a judgement on its entries.
func (asks question) find() (resolver.Resolved, error) {
	var none resolver.Resolved
	parts := inStore.FindStringSubmatch(asks.reference)
	registry := strings.HasPrefix(asks.reference, "docker:") || strings.HasPrefix(asks.reference, "oci:")
	if len(parts) != 4 || registry || parts[2] == "" && parts[3] != "" {
		return told(resolver.Resolve(asks.reference))
	}
	store, name, digest := parts[1], parts[2], strings.TrimPrefix(parts[3], "@")
	listed, err := told(resolver.Entries(store))
	if err != nil {
		return none, err
	}
	bytes, entries, err := index(listed.Repository, listed.Descriptor)
	if err != nil {
		return none, err
	}
	positions, err := judged(strategy.MatchName(bytes, name, asks.mode))
	if err != nil {
		return none, err
	}
	// One image may have several names.
	var roots []types.Descriptor
	for _, entry := range at(entries, positions) {
		if root := entry.descriptor(); (digest == "" || digest == root.Digest) && !slices.Contains(roots, root) {
			roots = append(roots, root)
		}
	}
	switch len(roots) {
	case 0:
		if name = strings.TrimLeft(name, ":/"); name == "" {
			name = "latest"
		}
		return none, notFound("nothing in %s is called %s", shown(store), name)
	case 1:
		return resolver.Resolved{Repository: listed.Repository, Descriptor: roots[0]}, nil
	default:
		return none, failed{types.Failure{
			Message: fmt.Sprintf("%s may be each of %d images", shown(asks.reference), len(roots)),
			Hint:    wit.Some("name one by @DIGEST, such as @" + roots[0].Digest),
		}}
	}
}

// The manifest for the platform: what is given, or the best below it.
func (asks question) choose(repository string, root types.Descriptor, depth int) (
	*types.Descriptor, error,
) {
	if !isIndex(root.MediaType) {
		return &root, nil
	}
	if depth == deepest {
		return nil, fmt.Errorf("%s is an index %d levels deep", root.Digest, deepest)
	}
	bytes, entries, err := index(repository, root)
	if err != nil {
		return nil, err
	}
	positions, err := judged(strategy.Select(bytes, asks.platform, asks.mode))
	if err != nil {
		return nil, err
	}
	for _, entry := range at(entries, positions) {
		found, err := asks.choose(repository, entry.descriptor(), depth+1)
		if err != nil {
			return nil, err
		}
		if found == nil {
			continue
		}
		// An entry that does not say what it is for: its config does.
		suits := entry.Platform != nil
		if !suits {
			if suits, err = asks.suits(repository, *found); err != nil {
				return nil, err
			}
		}
		if suits {
			return found, nil
		}
	}
	return nil, nil
}

// Whether an image is for the platform by its config: asked as if an index said so.
func (asks question) suits(repository string, manifest types.Descriptor) (bool, error) {
	bytes, err := config(repository, manifest)
	if err != nil {
		return false, err
	}
	// The config has the fields of a platform, and more, which nobody looks at.
	listed, err := json.Marshal(map[string]any{
		"schemaVersion": 2,
		"mediaType":     "application/vnd.oci.image.index.v1+json",
		"manifests": []entry{{
			MediaType: manifest.MediaType, Digest: manifest.Digest, Size: manifest.Size, Platform: bytes,
		}},
	})
	if err != nil {
		return false, err
	}
	positions, err := judged(strategy.Select(listed, asks.platform, asks.mode))
	return len(positions) > 0, err
}

// A descriptor in JSON.
type entry struct {
	MediaType string          `json:"mediaType"`
	Digest    string          `json:"digest"`
	Size      uint64          `json:"size"`
	Platform  json.RawMessage `json:"platform,omitempty"`
}

func (entry entry) descriptor() types.Descriptor {
	return types.Descriptor{MediaType: entry.MediaType, Digest: entry.Digest, Size: entry.Size}
}

func isIndex(mediaType string) bool {
	return mediaType == "application/vnd.oci.image.index.v1+json" ||
		mediaType == "application/vnd.docker.distribution.manifest.list.v2+json"
}

// An index as it is, for the strategy, and its entries.
func index(repository string, descriptor types.Descriptor) ([]byte, []entry, error) {
	bytes, err := told(fetcher.Fetch(repository, descriptor))
	if err != nil {
		return nil, nil, err
	}
	var says struct {
		Manifests []entry `json:"manifests"`
	}
	if err := json.Unmarshal(bytes, &says); err != nil {
		return nil, nil, fmt.Errorf("%s is no index: %w", descriptor.Digest, err)
	}
	return bytes, says.Manifests, nil
}

// The config of an image, by its manifest.
func config(repository string, descriptor types.Descriptor) ([]byte, error) {
	bytes, err := told(fetcher.Fetch(repository, descriptor))
	if err != nil {
		return nil, err
	}
	var manifest struct {
		Config entry `json:"config"`
	}
	if err := json.Unmarshal(bytes, &manifest); err != nil {
		return nil, fmt.Errorf("%s is no manifest: %w", descriptor.Digest, err)
	}
	return told(fetcher.Fetch(repository, manifest.Config.descriptor()))
}

func at(entries []entry, positions []uint32) []entry {
	var found []entry
	for _, position := range positions {
		// A strategy is another's component.
		if int(position) < len(entries) {
			found = append(found, entries[position])
		}
	}
	return found
}

// A failure as Go has it.
type failed struct{ types.Failure }

func (failed failed) Error() string {
	return failed.Message
}

func failure(err error) types.Failure {
	var of failed
	if errors.As(err, &of) {
		return of.Failure
	}
	return types.Failure{Message: err.Error()}
}

// What a store is called is percent-encoded, so that it fits into a reference.
func shown(reference string) string {
	if plain, err := url.PathUnescape(reference); err == nil {
		return plain
	}
	return reference
}

// The code of a cause decides the command's exit status.
func notFound(format string, values ...any) error {
	message := fmt.Sprintf(format, values...)
	return failed{types.Failure{Message: message, Cause: wit.Some(types.Error{Code: "not-found", Message: message})}}
}

// What the host answers.
func told[T any](answer wit.Result[T, types.Error]) (T, error) {
	if answer.IsErr() {
		var none T
		cause := answer.Err()
		return none, failed{types.Failure{Message: cause.Message, Cause: wit.Some(cause)}}
	}
	return answer.Ok(), nil
}

// What the strategy answers.
func judged(answer wit.Result[[]uint32, types.Failure]) ([]uint32, error) {
	if answer.IsErr() {
		return nil, failed{answer.Err()}
	}
	return answer.Ok(), nil
}
