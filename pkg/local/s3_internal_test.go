package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"
)

func s3Client(address string) *s3.Client {
	return s3.New(s3.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(address), UsePathStyle: true, RetryMaxAttempts: 1,
		Credentials: credentials.NewStaticCredentialsProvider("a", "b", ""),
	})
}

func putObject(ctx context.Context, client *s3.Client, bucket, key, contentType, content string) error {
	_, err := client.PutObject(ctx, &s3.PutObjectInput{
		Bucket: aws.String(bucket), Key: aws.String(key), ContentType: aws.String(contentType), Body: strings.NewReader(content),
	})
	return err
}

// getObject returns an object and its type.
func getObject(ctx context.Context, client *s3.Client, bucket, key string) (content, contentType string, err error) {
	got, err := client.GetObject(ctx, &s3.GetObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil {
		return "", "", err
	}
	body, err := io.ReadAll(got.Body)
	return string(body), aws.ToString(got.ContentType), errors.Join(err, got.Body.Close())
}

// codeOf is the code of an error of S3's; "" where there is none.
func codeOf(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	known, ok := errors.AsType[smithy.APIError](err)
	if !ok {
		t.Fatal(err)
	}
	return known.ErrorCode()
}

// testObjects calls the stack as the SDK calls S3.
func testObjects(t *testing.T, s *stack) {
	t.Helper()
	ctx, client := t.Context(), s3Client(s.address)
	const bucket, key = "keyreeve-reports", "sweeps/2026-11-23/a report.html"
	for _, content := range []string{"first", "", "second, and longer"} {
		if err := putObject(ctx, client, bucket, key, "text/html; charset=utf-8", content); err != nil {
			t.Fatal(err)
		}
		got, contentType, err := getObject(ctx, client, bucket, key)
		if err != nil || got != content || contentType != "text/html; charset=utf-8" {
			t.Errorf("got %q of type %q, %v, want %q", got, contentType, err, content)
		}
	}
	head, err := client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)})
	if err != nil || aws.ToInt64(head.ContentLength) != int64(len("second, and longer")) {
		t.Errorf("got a head of %v, %v", head, err)
	}
	again, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: aws.String(bucket), Key: aws.String("again"), Body: strings.NewReader("second, and longer")})
	if err != nil || aws.ToString(again.ETag) == "" || aws.ToString(again.ETag) != aws.ToString(head.ETag) {
		t.Errorf("the same content has the tags %v and %v, %v", again.ETag, head.ETag, err)
	}
	if err := putObject(ctx, client, bucket, key+".part", "application/x-part", "{}"); err != nil {
		t.Fatal(err)
	}
	if _, contentType, err := getObject(ctx, client, bucket, key+".part"); err != nil || contentType != "application/x-part" {
		t.Errorf("the type is %q, %v", contentType, err)
	}
	call(t, s, "PUT", "/"+bucket+"/untyped.html", "x", "Authorization", signedForObjects, "X-Amz-Content-Sha256", "UNSIGNED-PAYLOAD")
	if _, contentType, err := getObject(ctx, client, bucket, "untyped.html"); err != nil || contentType != "binary/octet-stream" {
		t.Errorf("put without a type, it is %q, %v", contentType, err)
	}
	if got := call(t, s, "GET", "/"+bucket+"/sweeps/2026-11-23/a%20report.html", ""); got.body != "second, and longer" {
		t.Errorf("without a signature: got %d %q", got.status, got.body)
	}
	for range 2 { // What is not there is deleted without a word.
		if _, err := client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: aws.String(bucket), Key: aws.String(key)}); err != nil {
			t.Error(err)
		}
	}
	_, _, err = getObject(ctx, client, bucket, key)
	if _, ok := errors.AsType[*types.NoSuchKey](err); !ok {
		t.Errorf("got %v, want that there is no such key", err)
	}
	if _, _, err := getObject(ctx, client, bucket, key+".part"); err != nil {
		t.Errorf("another object is gone: %v", err)
	}
	if _, _, err = getObject(ctx, client, bucket, "sweeps"); codeOf(t, err) != "NoSuchKey" {
		t.Errorf("a folder: got %v", err)
	}
	if err := putObject(ctx, client, "another-bucket", key, "text/html", "x"); codeOf(t, err) != "NoSuchBucket" {
		t.Errorf("another bucket: got %v", err)
	}
	if _, _, err = getObject(ctx, client, "another-bucket", key); codeOf(t, err) != "NoSuchBucket" {
		t.Errorf("another bucket: got %v", err)
	}
	if _, err := client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: aws.String(bucket)}); codeOf(t, err) != "NotImplemented" {
		t.Errorf("a list: got %v", err)
	}
}

// signedForObjects is an Authorization for calls to S3.
const signedForObjects = "AWS4-HMAC-SHA256 Credential=local/20261123/eu-central-1/s3/aws4_request, SignedHeaders=host, Signature=0"

// testRefusedObjects calls the stack in ways that S3 refuses, or that are not possible here. Nothing may be kept of them.
func testRefusedObjects(t *testing.T, s *stack) {
	t.Helper()
	sum := sha256.Sum256([]byte("content"))
	digest := hex.EncodeToString(sum[:])
	const path = "/keyreeve-reports/refused.html"
	for _, tt := range []struct {
		name, method, path, authorization, digest string
		status                                    int
		code                                      string
	}{
		{"no signature", "PUT", path, "", digest, 403, "AccessDenied"},
		{"basic authentication", "PUT", path, "Basic bG9jYWw6", digest, 403, "AccessDenied"},
		{"signed for another service", "PUT", path, strings.Replace(signedForObjects, "s3", "sqs", 1), digest, 403, "AccessDenied"},
		{"signed for another region", "PUT", path, strings.Replace(signedForObjects, "central", "west", 1), digest, 403, "AccessDenied"},
		{"no signature to delete", "DELETE", path, "", digest, 403, "AccessDenied"},
		{"no digest", "PUT", path, signedForObjects, "", 400, "InvalidRequest"},
		{"another digest", "PUT", path, signedForObjects, strings.Repeat("0", 64), 400, "XAmzContentSHA256Mismatch"},
		{"chunks", "PUT", path, signedForObjects, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", 501, "NotImplemented"},
		{"another method", "POST", path, signedForObjects, digest, 501, "NotImplemented"},
		{"a parameter", "PUT", path + "?acl", signedForObjects, digest, 501, "NotImplemented"},
		{"no key", "PUT", "/keyreeve-reports", signedForObjects, digest, 501, "NotImplemented"},
		{"a key that leads elsewhere", "PUT", "/keyreeve-reports/../refused.html", signedForObjects, digest, 501, "NotImplemented"},
		{"a key with an escaped way elsewhere", "PUT", "/keyreeve-reports/%2e%2e/refused.html", signedForObjects, digest, 501, "NotImplemented"},
		{"a key with two slashes", "PUT", "/keyreeve-reports//refused.html", signedForObjects, digest, 501, "NotImplemented"},
		{"another bucket", "PUT", "/keyreeve-other/refused.html", signedForObjects, digest, 404, "NoSuchBucket"},
		{"another bucket without a signature", "PUT", "/keyreeve-other/refused.html", "", digest, 404, ""}, // nothing of S3's
	} {
		t.Run(tt.name, func(t *testing.T) {
			var headers []string
			for name, value := range map[string]string{"Authorization": tt.authorization, "X-Amz-Content-Sha256": tt.digest} {
				if value != "" {
					headers = append(headers, name, value)
				}
			}
			got := call(t, s, tt.method, tt.path, "content", headers...)
			if code := between(got.body, "<Code>", "</Code>"); got.status != tt.status || code != tt.code {
				t.Errorf("got %d %s, want %d %s", got.status, got.body, tt.status, tt.code)
			}
		})
	}
	for _, tt := range []struct {
		name   string
		body   io.Reader
		length int64
		code   string
	}{
		{"a length that nobody knows", strings.NewReader("content"), -1, "MissingContentLength"},
		{"a body that breaks off", io.MultiReader(strings.NewReader("cont"), brokenOff{}), 7, "IncompleteBody"},
		{"too much", strings.NewReader("content"), maxObject + 1, "EntityTooLarge"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			recorder := httptest.NewRecorder()
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPut, s.address+path, tt.body)
			request.ContentLength = tt.length
			request.Header.Set("Authorization", signedForObjects)
			request.Header.Set("X-Amz-Content-Sha256", digest)
			s.handler().ServeHTTP(recorder, request)
			if code := between(recorder.Body.String(), "<Code>", "</Code>"); code != tt.code {
				t.Errorf("got %d %s, want %s", recorder.Code, recorder.Body, tt.code)
			}
		})
	}
	if got := call(t, s, "GET", path, ""); got.status != http.StatusNotFound {
		t.Errorf("something was kept: %d %s", got.status, got.body)
	}
}

// brokenOff is what a caller sends who hangs up.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func between(text, before, after string) string {
	_, rest, _ := strings.Cut(text, before)
	found, _, _ := strings.Cut(rest, after)
	return found
}

// testPages calls the stack as browsers do. A person may open an object, and no page may read one or do anything else.
func testPages(t *testing.T, s *stack) {
	t.Helper()
	const bucket, content = "keyreeve-reports", "<p>this is the report</p>"
	if err := putObject(t.Context(), s3Client(s.address), bucket, "page.html", "text/html", content); err != nil {
		t.Fatal(err)
	}
	const page = "/" + bucket + "/page.html"
	for _, tt := range []struct {
		name, method, path, site, dest, more, value string
		status                                      int
	}{
		{"an address that was typed", "GET", page, "none", "document", "", "", 200},
		{"a link elsewhere", "GET", page, "cross-site", "document", "", "", 200},
		{"the page anew", "GET", page, "same-origin", "document", "", "", 200},
		{"an object that is not there", "GET", "/" + bucket + "/none.html", "none", "document", "", "", 404},
		{"a frame", "GET", page, "cross-site", "iframe", "", "", 403},
		{"a picture", "GET", page, "cross-site", "image", "", "", 403},
		{"a script", "GET", page, "cross-site", "script", "", "", 403},
		{"a call", "GET", page, "cross-site", "empty", "", "", 403},
		{"a call of the page itself", "GET", page, "same-origin", "empty", "", "", 403},
		{"a call of a browser that says less", "GET", page, "cross-site", "", "", "", 403},
		{"another origin", "GET", page, "cross-site", "document", "Origin", "https://evil.example.com", 403},
		{"a form", "POST", page, "cross-site", "document", "", "", 403},
		{"a rebound name", "GET", page, "none", "document", "Host", "evil.example.com:8080", 403},
		{"the HTTP API", "GET", "/v1/users/a/keys", "none", "document", "", "", 403},
		{"a control route", "GET", "/_events", "none", "document", "", "", 403},
		{"nothing", "GET", "/", "none", "document", "", "", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequestWithContext(t.Context(), tt.method, s.address+tt.path, http.NoBody)
			request.Header.Set("Sec-Fetch-Site", tt.site)
			if tt.dest != "" {
				request.Header.Set("Sec-Fetch-Dest", tt.dest)
			}
			if tt.more == "Host" {
				request.Host = tt.value
			} else if tt.more != "" {
				request.Header.Set(tt.more, tt.value)
			}
			recorder := httptest.NewRecorder()
			s.handler().ServeHTTP(recorder, request)
			body := recorder.Body.String()
			shown, refused := strings.Contains(body, content), strings.Contains(body, "Web pages may not call this.")
			if recorder.Code != tt.status || shown != (tt.status == http.StatusOK) || refused != (tt.status == http.StatusForbidden) {
				t.Errorf("got %d %s, want %d", recorder.Code, body, tt.status)
			}
		})
	}
}

// Of a real contract the reports are there in the next run, too, and open as what their names say.
func TestObjectsOutliveTheRun(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "objects")
	var out bytes.Buffer
	for run, want := range []string{"text/x-report", "text/html; charset=utf-8"} {
		s, err := openS3(folder, []string{"reports"}, &console{out: &out})
		if err != nil {
			t.Fatal(err)
		}
		server := httptest.NewServer(s)
		client := s3Client(server.URL)
		if run == 0 {
			err = putObject(t.Context(), client, "reports", "sweeps/report.html", want, "the report")
		}
		got, contentType, getErr := getObject(t.Context(), client, "reports", "sweeps/report.html")
		if err := errors.Join(err, getErr); err != nil || got != "the report" || contentType != want {
			t.Errorf("run %d: got %q of type %q, %v, want type %q", run, got, contentType, err, want)
		}
		server.Close()
		if err := s.close(); err != nil {
			t.Error(err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) != 1 {
		t.Errorf("there is more than the bucket in the folder: %v, %v", files, err)
	}
}
