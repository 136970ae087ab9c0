package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/xml"
	"errors"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
)

// maxObject is the largest object that is taken: enough for the report of a very large contract.
const maxObject = 256 << 20

// s3API stands in for S3: it puts, gets and deletes the objects of the template's buckets, by paths such as
// /bucket/sweeps/report.html, and nothing else, loudly. An object is a file. Whoever puts or deletes has to sign, though
// no signature is verified here; whoever gets need not, so that a person can open a report in a browser.
type s3API struct {
	buckets []string
	folder  *os.Root
	console *console

	mu sync.Mutex
	// types holds the content types of what was put, by path. What an earlier run put goes by its name.
	types map[string]string
}

// openS3 keeps the objects of the buckets below the folder, where those of earlier runs may be.
func openS3(folder string, buckets []string, c *console) (*s3API, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(folder)
	return &s3API{buckets: buckets, folder: root, console: c, types: map[string]string{}}, err
}

func (s *s3API) close() error { return s.folder.Close() }

// s3Scope ends the credential of a call that was signed for S3.
const s3Scope = "/" + region + "/s3/aws4_request"

// takes reports whether a call is for S3: it is about a bucket of the template, or was signed for S3.
func (s *s3API) takes(r *http.Request) bool { return s.owns(r) || signedForS3(r) }

// owns reports whether a call is about a bucket of the template.
func (s *s3API) owns(r *http.Request) bool {
	bucket, _, _ := strings.Cut(objectPath(r), "/")
	return slices.Contains(s.buckets, bucket)
}

func signedForS3(r *http.Request) bool {
	authorization := r.Header.Get("Authorization")
	return strings.HasPrefix(authorization, "AWS4-HMAC-SHA256 ") && strings.Contains(authorization, s3Scope)
}

// objectPath is bucket/key.
func objectPath(r *http.Request) string { return strings.TrimPrefix(r.URL.Path, "/") }

// s3Error is why S3 does not do something, as it says so.
type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	Resource  string   `xml:"Resource"`
	RequestID string   `xml:"RequestId"`

	status int
}

func (s *s3API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	id := newID()
	w.Header().Set("X-Amz-Request-Id", id)
	problem := s.serve(w, r)
	if problem == nil {
		s.console.step("%s %s → S3", r.Method, r.URL.Path)
		return
	}
	s.console.step("%s %s → S3 → %d %s", r.Method, r.URL.Path, problem.status, problem.Code)
	problem.Resource, problem.RequestID = r.URL.Path, id
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(problem.status)
	_ = xml.NewEncoder(w).Encode(problem) // the caller hung up: there is nobody to tell
}

func (s *s3API) serve(w http.ResponseWriter, r *http.Request) *s3Error {
	name := objectPath(r)
	query := r.URL.Query()
	query.Del("x-id") // by which the SDKs name the operation once more
	_, key, _ := strings.Cut(name, "/")
	read := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !s.owns(r):
		return &s3Error{status: http.StatusNotFound, Code: "NoSuchBucket", Message: "The specified bucket does not exist"}
	case len(query) > 0 || key == "" || !fs.ValidPath(name):
		return notImplemented("Of S3 there are objects with plain names here, and no parameters.")
	case !read && !signedForS3(r):
		return &s3Error{status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
	case read:
		return s.get(w, r, name)
	case r.Method == http.MethodPut:
		return s.put(w, r, name)
	case r.Method == http.MethodDelete:
		return s.remove(w, name)
	default:
		return notImplemented("Of S3 there are GET, HEAD, PUT and DELETE here.")
	}
}

func (s *s3API) get(w http.ResponseWriter, r *http.Request, name string) *s3Error {
	file, err := s.folder.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return noSuchKey()
	}
	if err != nil {
		return internalS3Error(err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return internalS3Error(err)
	}
	if info.IsDir() {
		return noSuchKey()
	}
	digest := sha256.New()
	if _, err := io.Copy(digest, file); err != nil {
		return internalS3Error(err)
	}
	w.Header().Set("ETag", etag(digest.Sum(nil)))
	s.mu.Lock()
	known := s.types[name]
	s.mu.Unlock()
	if known != "" {
		w.Header().Set("Content-Type", known)
	}
	http.ServeContent(w, r, name, info.ModTime(), file)
	return nil
}

// put replaces the object, or leaves it as it is.
func (s *s3API) put(w http.ResponseWriter, r *http.Request, name string) *s3Error {
	digest := r.Header.Get("X-Amz-Content-Sha256")
	switch {
	case r.ContentLength < 0:
		return &s3Error{status: http.StatusLengthRequired, Code: "MissingContentLength", Message: "You must provide the Content-Length HTTP header."}
	case r.ContentLength > maxObject:
		return &s3Error{status: http.StatusBadRequest, Code: "EntityTooLarge", Message: "Your proposed upload exceeds the maximum allowed object size."}
	case digest == "":
		return &s3Error{status: http.StatusBadRequest, Code: "InvalidRequest", Message: "Missing required header for this request: x-amz-content-sha256"}
	case strings.HasPrefix(digest, "STREAMING-"):
		return notImplemented("A body in signed chunks is not possible here.")
	}
	content, err := io.ReadAll(r.Body)
	if err != nil {
		return &s3Error{status: http.StatusBadRequest, Code: "IncompleteBody", Message: err.Error()}
	}
	sum := sha256.Sum256(content)
	if digest != "UNSIGNED-PAYLOAD" && digest != hex.EncodeToString(sum[:]) {
		return &s3Error{status: http.StatusBadRequest, Code: "XAmzContentSHA256Mismatch", Message: "The provided 'x-amz-content-sha256' header does not match what was computed."}
	}
	if err := s.replace(name, content); err != nil {
		return internalS3Error(err)
	}
	s.mu.Lock()
	s.types[name] = cmp.Or(r.Header.Get("Content-Type"), "binary/octet-stream")
	s.mu.Unlock()
	w.Header().Set("ETag", etag(sum[:]))
	w.WriteHeader(http.StatusOK)
	return nil
}

// etag is the ETag of an object with the SHA-256 digest. What S3 makes one of is its own affair.
func etag(digest []byte) string { return `"` + hex.EncodeToString(digest[:16]) + `"` }

// replace writes the file anew. Who reads it meanwhile has all of the old one or all of the new one.
func (s *s3API) replace(name string, content []byte) error {
	temporary := newID()
	err := errors.Join(
		s.folder.MkdirAll(path.Dir(name), 0o700),
		s.folder.WriteFile(temporary, content, 0o600),
	)
	if err != nil {
		return err
	}
	return s.folder.Rename(temporary, name)
}

func (s *s3API) remove(w http.ResponseWriter, name string) *s3Error {
	if err := s.folder.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return internalS3Error(err)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}

func noSuchKey() *s3Error {
	return &s3Error{status: http.StatusNotFound, Code: "NoSuchKey", Message: "The specified key does not exist."}
}

func notImplemented(message string) *s3Error {
	return &s3Error{status: http.StatusNotImplemented, Code: "NotImplemented", Message: message}
}

func internalS3Error(err error) *s3Error {
	return &s3Error{status: http.StatusInternalServerError, Code: "InternalError", Message: err.Error()}
}
