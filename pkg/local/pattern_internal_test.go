package main

import (
	"strings"
	"testing"
)

func TestPatternMatches(t *testing.T) {
	t.Parallel()
	const event = `{"source": "com.example.hr", "detail-type": "Left", "resources": [], "detail": {
		"action": "deactivate", "count": 3, "ratio": 0.5, "urgent": true, "nothing": null, "tags": ["a", "b"],
		"targets": [{"type": "Group", "name": "x"}, {"type": "User", "name": "y"}],
		"employee": {"email": "Alice@Example.com"}}}`
	tests := []struct {
		name, pattern string
		want          bool
	}{
		{"value", `{"source": ["com.example.hr"]}`, true},
		{"other value", `{"source": ["com.example.it"]}`, false},
		{"one of several", `{"source": ["x", "com.example.hr"]}`, true},
		{"all members have to match", `{"source": ["com.example.hr"], "detail-type": ["Joined"]}`, false},
		{"nested", `{"detail": {"action": ["deactivate"], "employee": {"email": ["Alice@Example.com"]}}}`, true},
		{"case counts", `{"detail": {"employee": {"email": ["alice@example.com"]}}}`, false},
		{"missing member", `{"detail": {"reason": ["x"]}}`, false},
		{"missing object", `{"details": {"reason": ["x"]}}`, false},
		{"number", `{"detail": {"count": [3]}}`, true},
		{"number written otherwise", `{"detail": {"count": [3.0], "ratio": [5e-1]}}`, true},
		{"number is no text", `{"detail": {"count": ["3"]}}`, false},
		{"boolean", `{"detail": {"urgent": [true]}}`, true},
		{"null", `{"detail": {"nothing": [null]}}`, true},
		{"null is not missing", `{"detail": {"reason": [null]}}`, false},
		{"element of a list", `{"detail": {"tags": ["b"]}}`, true},
		{"object in a list", `{"detail": {"targets": {"type": ["User"], "name": ["y"]}}}`, true},
		{"objects in a list are not mixed", `{"detail": {"targets": {"type": ["User"], "name": ["x"]}}}`, false},
		{"prefix", `{"source": [{"prefix": "com.example."}]}`, true},
		{"other prefix", `{"source": [{"prefix": "org."}]}`, false},
		{"prefix of a number", `{"detail": {"count": [{"prefix": "3"}]}}`, false},
		{"suffix", `{"source": [{"suffix": ".hr"}]}`, true},
		{"equals-ignore-case", `{"detail": {"employee": {"email": [{"equals-ignore-case": "alice@example.com"}]}}}`, true},
		{"exists", `{"detail": {"action": [{"exists": true}], "nothing": [{"exists": true}]}}`, true},
		{"exists not", `{"detail": {"reason": [{"exists": false}]}}`, true},
		{"exists not in a missing object", `{"detail": {"a": {"b": [{"exists": false}]}}}`, true},
		{"an object does not exist as a value", `{"detail": {"employee": [{"exists": true}]}}`, false},
		{"an empty list does not exist", `{"resources": [{"exists": false}]}`, true},
		{"anything-but", `{"source": [{"anything-but": "x"}]}`, true},
		{"anything-but it", `{"source": [{"anything-but": ["x", "com.example.hr"]}]}`, false},
		{"anything-but a prefix", `{"source": [{"anything-but": {"prefix": "com."}}]}`, false},
		{"anything-but needs a value", `{"detail": {"reason": [{"anything-but": "x"}]}}`, false},
		{"operator or value", `{"source": ["x", {"prefix": "com."}]}`, true},
	}
	decoded, err := decode([]byte(event))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := parsePattern([]byte(tt.pattern))
			if err != nil {
				t.Fatal(err)
			}
			if got := p.match(decoded); got != tt.want {
				t.Errorf("match(%s) = %v, want %v", tt.pattern, got, tt.want)
			}
		})
	}
}

func TestPatternIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, pattern, want string }{
		{"empty", `{}`, "not empty"},
		{"null", `null`, "must be an object"},
		{"bare value", `{"source": "x"}`, "source: a pattern must be an object"},
		{"empty list", `{"source": []}`, "source: an empty list"},
		{"unknown operator", `{"detail": {"n": [{"numeric": [">", 1]}]}}`, "detail: n: the operator numeric is not known"},
		{"or", `{"$or": [{"a": ["b"]}]}`, "the operator $or is not known"},
		{"two operators", `{"a": [{"prefix": "x", "suffix": "y"}]}`, "exactly one operator"},
		{"prefix of an object", `{"a": [{"prefix": {"equals-ignore-case": "x"}}]}`, "prefix takes a text"},
		{"exists of a text", `{"a": [{"exists": "true"}]}`, "exists takes true or false"},
		{"unknown operator in anything-but", `{"a": [{"anything-but": {"wildcard": "*"}}]}`, "the operator wildcard is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if _, err := parsePattern([]byte(tt.pattern)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("parsePattern(%s) = %v, want an error with %q", tt.pattern, err, tt.want)
			}
		})
	}
}
