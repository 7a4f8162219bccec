// Package command says what a container of an image runs, by the image's config.
package command

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A Process is what a runtime would start, in the words of the runtime specification.
type Process struct {
	Args []string `json:"args"`
	Cwd  string   `json:"cwd"`
	User string   `json:"user"`
	Env  []string `json:"env"`
}

// Of reads the config of an image. What a person types takes the place of the image's own arguments and leaves its
// entrypoint, as in `docker run`.
func Of(config []byte, typed []string) (Process, error) {
	var image struct {
		Config struct {
			User       string
			WorkingDir string
			Env        []string
			Entrypoint []string
			Cmd        []string
		} `json:"config"`
	}
	if err := json.Unmarshal(config, &image); err != nil {
		return Process{}, fmt.Errorf("the image's config is not one: %w", err)
	}
	says := image.Config
	if len(typed) > 0 {
		says.Cmd = typed
	}
	// None is an empty list in JSON, not null.
	process := Process{Args: []string{}, Cwd: says.WorkingDir, User: says.User, Env: []string{}}
	process.Args = append(append(process.Args, says.Entrypoint...), says.Cmd...)
	process.Env = append(process.Env, says.Env...)
	if process.Cwd == "" {
		process.Cwd = "/"
	}
	if process.User == "" {
		process.User = "root"
	}
	return process, nil
}

// String is for people: a line for each fact, and a command that a shell would take.
func (process Process) String() string {
	var text strings.Builder
	fmt.Fprintf(&text, "user  %s\ncwd   %s\n", process.User, process.Cwd)
	for _, variable := range process.Env {
		fmt.Fprintf(&text, "env   %s\n", variable)
	}
	words := make([]string, 0, len(process.Args))
	for _, word := range process.Args {
		words = append(words, quoted(word))
	}
	if len(words) > 0 {
		fmt.Fprintf(&text, "args  %s\n", strings.Join(words, " "))
	}
	return text.String()
}

func quoted(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("@%+=:,./_-", r)
	}
	if word != "" && strings.TrimFunc(word, plain) == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
