package buckets_test

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"keyreeve/pkg/buckets"
	"keyreeve/pkg/guard"
)

// Whatever comes back, only a list without buckets means that there are none.
func FuzzAnswer(f *testing.F) {
	for _, body := range []string{
		noneList,
		oneList,
		"",
		listHead + owner,
		listHead + `<Buckets/></ListAllMyBucketsResult>`,
		`<ListAllMyBucketsResult><Owner/><Buckets/></ListAllMyBucketsResult>`,
		`<s:ListAllMyBucketsResult xmlns:s="urn:s3"><s:Owner/><s:Buckets><s:Bucket/></s:Buckets></s:ListAllMyBucketsResult>`,
		`<ListAllMyBucketsResult><Owner/><Buckets/><Buckets><Bucket/></Buckets></ListAllMyBucketsResult>`,
		`<ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult><ListAllMyBucketsResult/>`,
		`text<ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult>text`,
		`<html><ListAllMyBucketsResult><Owner/></ListAllMyBucketsResult></html>`,
		`<ListBucketResult><Owner/></ListBucketResult>`,
		`<Error><Code>AccessDenied</Code></Error>`,
		`<!DOCTYPE html><html><body>Log in<br></body></html>`,
		`{"buckets":[]}`,
	} {
		f.Add(body)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got := buckets.New(buckets.Config{
			Credentials: func(context.Context, string) ([]guard.Credential, error) {
				return []guard.Credential{{Key: guard.Key{ID: "00e1", Active: true}, Secret: guard.NewSecret("s")}}, nil
			},
			Transport: answering(func(*http.Request) *http.Response { return list(body) }),
			Clock:     time.Now,
			Timeout:   patience,
			Logger:    slog.New(slog.DiscardHandler),
		}).Owned(t.Context(), "alice")
		if got == guard.OwnsNone && !isEmptyList(body) {
			t.Errorf("no buckets according to %q", body)
		}
	})
}

// isEmptyList reports whether a body is one well-formed document, a list of buckets that names its owner and
// shows no bucket.
func isEmptyList(body string) bool {
	const root = "/ListAllMyBucketsResult"
	seen := map[string]int{}
	path := ""
	decoder := xml.NewDecoder(strings.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return errors.Is(err, io.EOF) && seen[root] == 1 && seen[root+"/Owner"] > 0 && seen[root+"/Buckets/Bucket"] == 0
		}
		switch token := token.(type) {
		case xml.StartElement:
			path += "/" + token.Name.Local
			seen[path]++
			if !strings.HasPrefix(path, root) {
				return false
			}
		case xml.EndElement:
			path = strings.TrimSuffix(path, "/"+token.Name.Local)
		case xml.CharData:
			if path == "" && strings.TrimSpace(string(token)) != "" {
				return false
			}
		}
	}
}
