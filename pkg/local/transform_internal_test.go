package main

import (
	"strings"
	"testing"
)

const transformed = `{"id": "e-1", "source": "hr", "time": "2026-11-22T10:00:00Z",
	"detail": {"email": "a@b.c", "n": 1.50, "yes": true, "who": {"name": "A & \"B\""}, "list": ["x", {"y": "z"}]}}`

func TestInput(t *testing.T) {
	t.Parallel()
	paths := map[string]string{
		"email": "$.detail.email", "n": "$.detail.n", "yes": "$.detail.yes", "who": "$.detail.who", "name": "$.detail.who.name",
		"second": "$.detail.list[1].y", "none": "$.detail.nobody", "id": "$.id",
	}
	tests := []struct {
		name, constant, part, template string
		want                           string
	}{
		{name: "whole event", want: transformed},
		{name: "constant", constant: `{"a":1}`, want: `{"a":1}`},
		{name: "part", part: "$.detail.list", want: `["x",{"y":"z"}]`},
		{name: "bare text gets quotes", template: `{"user": <email>}`, want: `{"user":"a@b.c"}`},
		{name: "text in quotes", template: `{"user": "<email>"}`, want: `{"user":"a@b.c"}`},
		{name: "text among others", template: `{"t": "mail <email>, id <id>"}`, want: `{"t":"mail a@b.c, id e-1"}`},
		{name: "after escaped quotes", template: `{"t": "\"<email>\" said", "user": <email>}`, want: `{"t":"\"a@b.c\" said","user":"a@b.c"}`},
		{name: "number keeps its form", template: `{"n": <n>, "t": "<n>"}`, want: `{"n":1.50,"t":"1.50"}`},
		{name: "boolean", template: `{"yes": <yes>}`, want: `{"yes":true}`},
		{name: "object", template: `{"who": <who>}`, want: `{"who":{"name":"A & \"B\""}}`},
		{name: "bare text is escaped", template: `{"name": <name>}`, want: `{"name":"A & \"B\""}`},
		{name: "in a list", template: `{"second": <second>}`, want: `{"second":"z"}`},
		{name: "missing", template: `{"user": <none>, "t": "<none>!"}`, want: `{"user":"","t":"!"}`},
		{name: "only a text", template: `"<email> left"`, want: `"a@b.c left"`},
		{name: "less-than sign", template: `{"t": "1 < 2", "n": <n>}`, want: `{"t":"1 < 2","n":1.50}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, err := newInput(tt.constant, tt.part, transformerSpec{Paths: paths, Template: tt.template})
			if err != nil {
				t.Fatal(err)
			}
			got, err := in([]byte(transformed))
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

// A value in quotes is not escaped, so that quotes in it break the input: it goes to the rule's dead letters.
func TestInputThatCannotBeMade(t *testing.T) {
	t.Parallel()
	for name, spec := range map[string]struct{ part, template string }{
		"quotes in quotes": {template: `{"name": "<name>"}`},
		"object in quotes": {template: `{"who": "<who>"}`},
		"no part":          {part: "$.detail.nobody"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			paths := map[string]string{"name": "$.detail.who.name", "who": "$.detail.who"}
			in, err := newInput("", spec.part, transformerSpec{Paths: paths, Template: spec.template})
			if err != nil {
				t.Fatal(err)
			}
			if got, err := in([]byte(transformed)); err == nil {
				t.Errorf("got %s, want an error", got)
			}
		})
	}
}

func TestInputIsRefused(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		constant, part, path, template, want string
	}{
		"constant is no JSON": {constant: "{", want: "the Input is no JSON"},
		"wildcard":            {part: "$.detail.*", want: "not known here"},
		"brackets":            {path: "$['detail']", template: "<p>", want: "not known here"},
		"unknown name":        {path: "$.id", template: "<q>", want: "no <q>"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := transformerSpec{Template: tt.template}
			if tt.path != "" {
				spec.Paths = map[string]string{"p": tt.path}
			}
			if _, err := newInput(tt.constant, tt.part, spec); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want an error with %q", err, tt.want)
			}
		})
	}
}
