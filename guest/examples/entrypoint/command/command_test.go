package command

import "testing"

func TestWhatRuns(t *testing.T) {
	const config = `{"config": {"User": "10:10", "WorkingDir": "/srv", "Env": ["A=b"],
		"Entrypoint": ["/bin/app", "--say"], "Cmd": ["it's", ""]}}`
	for _, test := range []struct {
		config string
		typed  []string
		says   string
	}{
		{config, nil, "user  10:10\ncwd   /srv\nenv   A=b\nargs  /bin/app --say 'it'\\''s' ''\n"},
		{config, []string{"a b", "c"}, "user  10:10\ncwd   /srv\nenv   A=b\nargs  /bin/app --say 'a b' c\n"},
		{`{}`, []string{"sh"}, "user  root\ncwd   /\nargs  sh\n"},
		{`{"config": {"Cmd": null}}`, nil, "user  root\ncwd   /\n"},
	} {
		process, err := Of([]byte(test.config), test.typed)
		if err != nil || process.String() != test.says {
			t.Errorf("%s %q: %v\n%s", test.config, test.typed, err, process)
		}
	}
	if _, err := Of([]byte(`{"config": 1}`), nil); err == nil {
		t.Error("a config that is a number was taken")
	}
}
