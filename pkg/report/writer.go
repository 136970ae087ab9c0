package report

import (
	"bufio"
	"encoding/json"
	"io"
	"iter"
)

// writer writes until something goes wrong, and nothing afterwards.
type writer struct {
	out *bufio.Writer
	err error
}

func newWriter(w io.Writer) *writer { return &writer{out: bufio.NewWriter(w)} }

func (w *writer) text(s string) {
	if w.err == nil {
		_, w.err = w.out.WriteString(s)
	}
}

// json writes a value on one line, with <, > and & escaped: it can end no element of HTML.
func (w *writer) json(value any) {
	if w.err != nil {
		return
	}
	data, err := json.Marshal(value)
	if err != nil {
		w.err = err
		return
	}
	_, w.err = w.out.Write(data)
}

// list writes an array with a line for each row: the value that is made of it.
func (w *writer) list(rows iter.Seq2[Row, error], value func(Row) any) {
	w.text("[")
	before := "\n"
	for row, err := range rows {
		if w.err == nil {
			w.err = err
		}
		if w.err != nil {
			return
		}
		w.text(before)
		w.json(value(row))
		before = ",\n"
	}
	w.text("\n]")
}

// close writes what is left, unless something went wrong, and returns what did.
func (w *writer) close() error {
	if w.err != nil {
		return w.err
	}
	return w.out.Flush()
}
