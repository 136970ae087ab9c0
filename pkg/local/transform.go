package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// input makes the body that a target gets out of an event.
type input func(envelope []byte) ([]byte, error)

// transformerSpec is an InputTransformer: a template, and the paths of the <names> in it.
type transformerSpec struct {
	Paths    map[string]string `yaml:"InputPathsMap"`
	Template string            `yaml:"InputTemplate"`
}

// newInput returns what a target of the template gets: a constant, a part of the event, a text made from it, or the
// whole event.
func newInput(constant, part string, transformer transformerSpec) (input, error) {
	switch {
	case constant != "":
		if !json.Valid([]byte(constant)) {
			return nil, errors.New("the Input is no JSON")
		}
		return func([]byte) ([]byte, error) { return []byte(constant), nil }, nil
	case part != "":
		p, err := parsePath(part)
		if err != nil {
			return nil, err
		}
		return func(envelope []byte) ([]byte, error) { return selectPart(envelope, p) }, nil
	case transformer.Template != "":
		return newTransformer(transformer)
	default:
		return func(envelope []byte) ([]byte, error) { return envelope, nil }, nil
	}
}

func selectPart(envelope []byte, p jsonPath) ([]byte, error) {
	event, err := decode(envelope)
	if err != nil {
		return nil, err
	}
	value, ok := p.of(event)
	if !ok {
		return nil, errors.New("the event has nothing at the InputPath")
	}
	return encode(value)
}

// jsonPath is a JSON path as EventBridge understands it: member names and indices of lists.
type jsonPath []string

func parsePath(source string) (jsonPath, error) {
	if !regexp.MustCompile(`^\$(\.[\w/-]+(\[\d+\])*)*$`).MatchString(source) {
		return nil, fmt.Errorf("the path %q is not known here: it takes names and indices, as in $.detail.items[0].name", source)
	}
	return regexp.MustCompile(`[\w/-]+`).FindAllString(source, -1), nil
}

// of returns what the path leads to.
func (p jsonPath) of(value any) (any, bool) {
	for _, step := range p {
		switch container := value.(type) {
		case map[string]any:
			member, ok := container[step]
			if !ok {
				return nil, false
			}
			value = member
		case []any:
			index, err := strconv.Atoi(step)
			if err != nil || index >= len(container) {
				return nil, false
			}
			value = container[index]
		default:
			return nil, false
		}
	}
	return value, true
}

// newTransformer fills a template in: inside quotes with the bare text of a value, which EventBridge does not
// escape, elsewhere with its JSON. What the event does not have is an empty text.
func newTransformer(spec transformerSpec) (input, error) {
	paths := map[string]jsonPath{}
	for name, source := range spec.Paths {
		p, err := parsePath(source)
		if err != nil {
			return nil, err
		}
		paths[name] = p
	}
	pieces := splitTemplate(spec.Template)
	for _, piece := range pieces {
		if _, ok := paths[piece.name]; piece.name != "" && !ok {
			return nil, fmt.Errorf("the InputPathsMap has no <%s>", piece.name)
		}
	}
	return func(envelope []byte) ([]byte, error) {
		event, err := decode(envelope)
		if err != nil {
			return nil, err
		}
		var filled bytes.Buffer
		for _, piece := range pieces {
			if err := piece.fill(&filled, event, paths); err != nil {
				return nil, err
			}
		}
		var body bytes.Buffer
		if err := json.Compact(&body, filled.Bytes()); err != nil {
			return nil, fmt.Errorf("the transformed input is no JSON: %w", err)
		}
		return body.Bytes(), nil
	}, nil
}

// piece is a stretch of a template: a literal text, or a <name> and whether it stands inside quotes.
type piece struct {
	literal, name string
	quoted        bool
}

// splitTemplate splits a template at its <names>.
func splitTemplate(template string) []piece {
	var pieces []piece
	rest, quoted := 0, false
	for _, place := range regexp.MustCompile(`<[\w.-]+>`).FindAllStringIndex(template, -1) {
		literal := template[rest:place[0]]
		quoted = endsQuoted(literal, quoted)
		pieces = append(pieces, piece{literal: literal}, piece{name: template[place[0]+1 : place[1]-1], quoted: quoted})
		rest = place[1]
	}
	return append(pieces, piece{literal: template[rest:]})
}

// endsQuoted reports whether the end of a stretch of JSON stands inside quotes, if its beginning did or did not.
func endsQuoted(literal string, quoted bool) bool {
	for i := 0; i < len(literal); i++ {
		switch {
		case quoted && literal[i] == '\\':
			i++
		case literal[i] == '"':
			quoted = !quoted
		}
	}
	return quoted
}

func (p piece) fill(into *bytes.Buffer, event any, paths map[string]jsonPath) error {
	if p.name == "" {
		into.WriteString(p.literal)
		return nil
	}
	value, ok := paths[p.name].of(event)
	if !ok {
		value = ""
	}
	if s, isText := value.(string); isText && p.quoted {
		into.WriteString(s)
		return nil
	}
	encoded, err := encode(value)
	into.Write(encoded)
	return err
}

// encode writes a value as JSON, without the escapes that are for HTML only.
func encode(value any) ([]byte, error) {
	var buffer strings.Builder
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return []byte(strings.TrimSuffix(buffer.String(), "\n")), err
}
