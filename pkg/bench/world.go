package main

import (
	"encoding/pem"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// world is all that the functions reach: a contract at IONOS with Object Storage, an event bus, and a ledger.
type world struct {
	ionos *ionostest.Server
	owner ionostest.User
	s3    *httptest.Server
	bus   *httptest.Server
	trip  time.Duration
	dir   string
}

// newWorld returns a world in which each call to the Cloud API takes the time of a trip, and each to Object Storage
// that of another.
func newWorld(dir string, trip, s3Trip time.Duration) (*world, error) {
	folder, err := os.MkdirTemp(dir, "world-")
	if err != nil {
		return nil, err
	}
	plenty := ionostest.Limit{PerMinute: 1e6, Burst: 1e6}
	api := &ionostest.Server{Now: time.Now, Reads: plenty, Writes: plenty}
	return &world{
		ionos: api, owner: api.AddUser(ionostest.User{Email: ionostest.DefaultOwner}),
		s3: httptest.NewServer(slow(s3Trip, api.S3())), bus: httptest.NewServer(http.HandlerFunc(putEvents)),
		trip: trip, dir: folder,
	}, nil
}

func (w *world) close() {
	w.s3.Close()
	w.bus.Close()
}

// slow lets each call wait before it is answered.
func slow(latency time.Duration, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(latency)
		next.ServeHTTP(w, r)
	})
}

// putEvents takes the one event that a function puts on the bus at a time.
func putEvents(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("X-Amz-Target") != "AWSEvents.PutEvents" {
		w.WriteHeader(http.StatusNotImplemented)
		return
	}
	w.Header().Set("Content-Type", "application/x-amz-json-1.1")
	_, _ = fmt.Fprint(w, `{"FailedEntryCount": 0, "Entries": [{"EventId": "1"}]}`) // a caller who has gone will say so
}

// front is an entrance to the Cloud API, over HTTP/2 as the real one is, that counts the connections made to it.
type front struct {
	*httptest.Server

	connections atomic.Int64
	certificate string
}

func (w *world) newFront() (*front, error) {
	f := &front{Server: httptest.NewUnstartedServer(slow(w.trip, w.ionos)), certificate: filepath.Join(w.dir, "certificate.pem")}
	f.EnableHTTP2 = true
	f.Config.ConnState = func(_ net.Conn, state http.ConnState) {
		if state == http.StateNew {
			f.connections.Add(1)
		}
	}
	f.StartTLS()
	encoded := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Certificate().Raw})
	return f, os.WriteFile(f.certificate, encoded, 0o600)
}

// environment is all that a function knows of the world.
func (w *world) environment(f *front) []string {
	return []string{
		"IONOS_TOKEN=" + w.ionos.Token(w.owner.ID),
		"IONOS_API_URL=" + f.URL,
		"SSL_CERT_FILE=" + f.certificate,
		"KEYREEVE_LEDGER=bolt:" + filepath.Join(w.dir, "ledger"),
		"KEYREEVE_BUS=bench",
		"KEYREEVE_MAX_CHANGES=100000",
		// Keys are deleted right after they were switched off.
		"KEYREEVE_DELETE_GRACE=1ns",
		"KEYREEVE_MAX_KEY_AGE=2160h",
		"KEYREEVE_SWEEP_REPORTS=file:" + filepath.Join(w.dir, "reports"),
		"KEYREEVE_WEBHOOK_STANDARD_SECRET=" + standardKey,
		"KEYREEVE_WEBHOOK_SCIM_SECRET=" + scimToken,
		"KEYREEVE_SLACK_SIGNING_SECRET=" + slackKey,
		"KEYREEVE_SLACK_BOT_TOKEN=" + slackKey,
		"AWS_ENDPOINT_URL=" + w.bus.URL,
		"KEYREEVE_OBJECT_STORAGE_ENDPOINT=" + w.s3.URL,
		"AWS_REGION=eu-central-1",
		"AWS_ACCESS_KEY_ID=bench",
		"AWS_SECRET_ACCESS_KEY=bench",
		"AWS_LAMBDA_FUNCTION_NAME=bench",
		"AWS_LAMBDA_FUNCTION_VERSION=$LATEST",
		"AWS_LAMBDA_FUNCTION_MEMORY_SIZE=128",
	}
}

// newPerson adds a user with as many active keys as one can have. The user cannot log in, so that no result warns of it.
func (w *world) newPerson(name string) ionostest.User {
	person := w.ionos.AddUser(ionostest.User{Email: name + "@example.com", Inactive: true})
	for range ionostest.MaxKeys {
		w.ionos.AddKey(person.ID, ionostest.Key{Active: true})
	}
	return person
}

// allInactive makes sure that the person has all keys still, and none of them is active.
func (w *world) allInactive(person ionostest.User) error {
	keys := w.ionos.Keys(person.ID)
	for _, k := range keys {
		if k.Active {
			return fmt.Errorf("%s has an active key still", person.Email)
		}
	}
	if len(keys) != ionostest.MaxKeys {
		return fmt.Errorf("%s has %d keys", person.Email, len(keys))
	}
	return nil
}
