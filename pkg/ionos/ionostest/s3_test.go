package ionostest_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"
	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/ionos/ionostest"
)

// listBuckets lists the buckets with the client that everybody uses.
func listBuckets(t *testing.T, srv *httptest.Server, path, region, keyID, secret string) ([]string, error) {
	t.Helper()
	client := s3.New(s3.Options{
		BaseEndpoint: aws.String(srv.URL + path), Region: region, UsePathStyle: true, HTTPClient: srv.Client(), Retryer: aws.NopRetryer{},
		Credentials: credentials.NewStaticCredentialsProvider(keyID, secret, ""),
	})
	list, err := client.ListBuckets(t.Context(), &s3.ListBucketsInput{})
	if err != nil {
		return nil, err
	}
	names := []string{}
	for _, b := range list.Buckets {
		if b.CreationDate == nil || b.CreationDate.Before(ionostest.Epoch()) {
			t.Errorf("bucket %s was created %v", *b.Name, b.CreationDate)
		}
		names = append(names, *b.Name)
	}
	return names, nil
}

func TestListBuckets(t *testing.T) {
	var s ionostest.Server
	alice, bob := s.AddUser(ionostest.User{}), s.AddUser(ionostest.User{})
	short := s.AddKey(alice.ID, ionostest.Key{Active: true})
	long := s.AddKey(alice.ID, ionostest.Key{ID: ionostest.LongID(1), Active: true})
	off := s.AddKey(alice.ID, ionostest.Key{})
	s.SetBuckets(alice.ID, ionostest.Frankfurt, "photos", "papers")
	s.SetBuckets(alice.ID, ionostest.Logrono, "vino")
	s.SetBuckets(bob.ID, ionostest.Berlin, "bobs")
	srv := httptest.NewServer(s.S3())
	t.Cleanup(srv.Close)

	for _, tt := range []struct {
		name, region, keyID, secret string
		want                        []string
		status                      int
		code                        string
	}{
		{"Frankfurt", "de", short.ID, short.Secret, []string{"photos", "papers"}, 200, ""},
		{"Berlin", "eu-central-2", short.ID, short.Secret, []string{}, 200, ""},
		{"Logroño", "eu-south-2", short.ID, short.Secret, []string{"vino"}, 200, ""},
		{"long key", "de", long.ID, long.Secret, []string{"photos", "papers"}, 200, ""},
		{"inactive key", "de", off.ID, off.Secret, nil, 403, "AccessDenied"},
		{"wrong secret", "de", short.ID, long.Secret, nil, 403, "SignatureDoesNotMatch"},
		{"unknown key", "de", "nokey", short.Secret, nil, 403, "InvalidAccessKeyId"},
		{"contract-owned region", "eu-central-3", short.ID, short.Secret, nil, 400, "AuthorizationHeaderMalformed"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := listBuckets(t, srv, "", tt.region, tt.keyID, tt.secret)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("buckets (-want +got):\n%s", diff)
			}
			status, code := 200, ""
			if response, ok := errors.AsType[*awshttp.ResponseError](err); ok {
				status = response.HTTPStatusCode()
			}
			if api, ok := errors.AsType[smithy.APIError](err); ok {
				code = api.ErrorCode()
			}
			if status != tt.status || code != tt.code {
				t.Errorf("answer %d %s (%v), want %d %s", status, code, err, tt.status, tt.code)
			}
			calls := s.S3Calls()
			if last := calls[len(calls)-1]; last.Region != ionostest.Region(tt.region) || last.Status != tt.status {
				t.Errorf("noted %+v, want region %s and status %d", last, tt.region, tt.status)
			}
		})
	}
	if calls := s.Calls(); len(calls) != 0 {
		t.Errorf("Cloud API calls %+v, want none", calls)
	}
}

func TestListBucketsBehindAPrefix(t *testing.T) {
	var s ionostest.Server
	alice := s.AddUser(ionostest.User{})
	key := s.AddKey(alice.ID, ionostest.Key{Active: true})
	srv := httptest.NewServer(http.StripPrefix("/storage", s.S3()))
	t.Cleanup(srv.Close)
	if _, err := listBuckets(t, srv, "/storage", "de", key.ID, key.Secret); err != nil {
		t.Error(err)
	}
}

func TestS3Faults(t *testing.T) {
	s := ionostest.Server{S3Fault: ionostest.InRegion(ionostest.Berlin, ionostest.Reset())}
	alice := s.AddUser(ionostest.User{})
	key := s.AddKey(alice.ID, ionostest.Key{Active: true})
	srv := httptest.NewServer(s.S3())
	t.Cleanup(srv.Close)
	if _, err := listBuckets(t, srv, "", "eu-central-2", key.ID, key.Secret); err == nil {
		t.Error("a reset connection is no error")
	}
	if _, err := listBuckets(t, srv, "", "de", key.ID, key.Secret); err != nil {
		t.Errorf("a region that is not meant: %v", err)
	}
}

func TestS3KnowsListBucketsOnly(t *testing.T) {
	var s ionostest.Server
	w := httptest.NewRecorder()
	s.S3().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/photos", http.NoBody))
	if w.Code != http.StatusNotImplemented {
		t.Errorf("status %d, want 501", w.Code)
	}
	w = httptest.NewRecorder()
	s.S3().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", http.NoBody))
	if w.Code != http.StatusForbidden {
		t.Errorf("unsigned: status %d, want 403", w.Code)
	}
}
