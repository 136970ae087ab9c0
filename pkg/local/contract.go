package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"keyreeve/pkg/ionos/ionostest"
)

// fakeContract is a contract of the fake IONOS API with a few people in it.
type fakeContract struct {
	server *ionostest.Server
	// address of the Cloud API.
	address string
	// environment is what makes a function work on it.
	environment map[string]string
	closers     []func() error
}

// startContract serves a fake contract on two ports of its own: Cloud API and Object Storage.
func startContract(ctx context.Context, latency time.Duration) (*fakeContract, error) {
	// Whoever looks at it says who they are and needs no password.
	named := func(r *http.Request) bool { return r.Header.Get("Authorization") != "" }
	c := &fakeContract{server: &ionostest.Server{Now: time.Now, Latency: latency, Rights: true, ModifiedMetadata: true, Authorize: named}}
	service := addPeople(c.server)
	api, err := c.serve(ctx, c.server)
	if err != nil {
		return nil, err
	}
	storage, err := c.serve(ctx, c.server.S3())
	if err != nil {
		return nil, errors.Join(err, c.close())
	}
	c.address = api
	c.environment = map[string]string{
		"IONOS_API_URL":                    api + ionostest.BasePath,
		"IONOS_TOKEN":                      c.server.Token(service.ID),
		"KEYREEVE_OBJECT_STORAGE_ENDPOINT": storage,
	}
	return c, nil
}

func (c *fakeContract) serve(ctx context.Context, handler http.Handler) (address string, err error) {
	address, stop, err := serveAnywhere(ctx, handler)
	if err == nil {
		c.closers = append(c.closers, stop)
	}
	return address, err
}

func (c *fakeContract) close() error {
	var problems []error
	for _, closer := range c.closers {
		problems = append(problems, closer())
	}
	return errors.Join(problems...)
}

// addPeople fills the contract: somebody for every rule to be seen at work. It returns the user that Keyreeve
// itself runs as.
func addPeople(s *ionostest.Server) ionostest.User {
	now := time.Now().UTC().Truncate(time.Second)
	daysAgo := func(days int) time.Time { return now.AddDate(0, 0, -days) }
	legacy := time.Date(2023, time.March, 1, 9, 0, 0, 0, time.UTC)

	s.AddUser(ionostest.User{Email: ionostest.DefaultOwner, FirstName: "Olga", LastName: "Owner"})
	operator := s.AddUser(ionostest.User{Email: "operator@example.com", FirstName: "Otto", LastName: "Operator", Administrator: true})
	s.AddKey(operator.ID, ionostest.Key{Active: true, Created: daysAgo(90)})

	alice := s.AddUser(ionostest.User{Email: "alice@example.com", FirstName: "Alice", LastName: "Leaver"})
	s.AddKey(alice.ID, ionostest.Key{Active: true, Created: daysAgo(400)})
	s.AddKey(alice.ID, ionostest.Key{Active: true, Created: daysAgo(30)})
	s.AddKey(alice.ID, ionostest.Key{Created: daysAgo(500)})

	bob := s.AddUser(ionostest.User{Email: "bob@example.com", FirstName: "Bob", LastName: "Buckets"})
	s.AddKey(bob.ID, ionostest.Key{Active: true, Created: daysAgo(200)})
	s.SetBuckets(bob.ID, ionostest.Frankfurt, "bob-backups", "bob-photos")

	carol := s.AddUser(ionostest.User{Email: "carol@example.com", FirstName: "Carol", LastName: "Collector"})
	s.AddKey(carol.ID, ionostest.Key{Active: true, Created: legacy})
	s.AddKey(carol.ID, ionostest.Key{Active: true, Created: daysAgo(300)})
	s.AddKey(carol.ID, ionostest.Key{Active: true, Created: daysAgo(100)})
	s.AddKey(carol.ID, ionostest.Key{Created: daysAgo(250)})
	s.AddKey(carol.ID, ionostest.Key{Created: daysAgo(50)})

	addNeglected(s, daysAgo)
	return s.AddUser(ionostest.User{Email: "keyreeve@example.com", FirstName: "Keyreeve", LastName: "Service", Administrator: true})
}

// addNeglected adds people for each policy of the sweep to find something to do.
func addNeglected(s *ionostest.Server, daysAgo func(int) time.Time) {
	dora := s.AddUser(ionostest.User{Email: "dora@example.com", FirstName: "Dora", LastName: "Departed", Inactive: true})
	s.AddKey(dora.ID, ionostest.Key{Active: true, Created: daysAgo(150)})

	erin := s.AddUser(ionostest.User{Email: "erin@example.com", FirstName: "Erin", LastName: "Elder"})
	s.AddKey(erin.ID, ionostest.Key{Active: true, Created: daysAgo(355)})
	s.AddKey(erin.ID, ionostest.Key{Active: true, Created: daysAgo(20)})

	frank := s.AddUser(ionostest.User{Email: "frank@example.com", FirstName: "Frank", LastName: "Forgetful"})
	s.AddKey(frank.ID, ionostest.Key{Active: true, Created: daysAgo(60)})
	s.AddKey(frank.ID, ionostest.Key{Created: daysAgo(280), Modified: daysAgo(45)})
	s.AddKey(frank.ID, ionostest.Key{Created: daysAgo(120), Modified: daysAgo(5)})
}
