package ionostest

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Epoch returns when time begins for a [Server] without a clock: 2025-01-01, in UTC.
func Epoch() time.Time { return time.Date(2025, time.January, 1, 0, 0, 0, 0, time.UTC) }

// MaxKeys is how many access keys the API lets a user have.
const MaxKeys = 5

// User is a user of the contract.
type User struct {
	// ID is a UUID.
	ID                  string
	Email               string
	FirstName, LastName string
	Administrator       bool
	// Inactive users cannot log in.
	Inactive bool
	// TwoFactor users cannot use the API with name and password.
	TwoFactor bool
	// NoObjectStorage users are in no group that may create access keys.
	NoObjectStorage bool
	// Created is in UTC, to the second, and so is LastLogin, which is zero for users who never logged in.
	Created, LastLogin time.Time
}

// Key is an access key.
type Key struct {
	// ID is 20 hex digits if not given; [LongID] makes one of the newer sort.
	ID     string
	Secret string
	Active bool
	// Created and Modified, the last switch, are in UTC, to the second.
	Created, Modified time.Time
}

// Region is a user-owned region of Object Storage, by the name that requests to it are signed with.
type Region string

// The user-owned regions.
const (
	Frankfurt Region = "de"
	Berlin    Region = "eu-central-2"
	Logrono   Region = "eu-south-2"
)

// Nesting is how much of a user's keys is in the user's entry in a list of users.
type Nesting int

// The ways of nesting.
const (
	// WholeKeys are keys as a list of keys has them.
	WholeKeys Nesting = iota
	// NoKeys leaves out all that has to do with keys.
	NoKeys
	// NoItems gives the address of the user's keys and no list.
	NoItems
	// KeyHeads lists the keys with their ids, and nothing else of them.
	KeyHeads
)

// account is a user with all that is theirs.
type account struct {
	User

	keys    []Key
	unseen  []write
	buckets map[Region][]ownedBucket
}

// write is a change of a user's keys that some reads do not show yet.
type write struct {
	before []Key
	reads  int
}

type ownedBucket struct {
	name    string
	created time.Time
}

// AddUser adds a user, fills in what is missing and returns it.
func (s *Server) AddUser(u User) User {
	s.mu.Lock()
	defer s.mu.Unlock()
	seed := s.seed("user")
	if u.ID == "" {
		u.ID = uuid(seed)
	}
	if u.Email == "" {
		u.Email = fmt.Sprintf("user%d@example.com", s.serial)
	}
	u.Created = s.date(u.Created)
	a := &account{User: u, buckets: map[Region][]ownedBucket{}}
	s.users = append(s.users, a)
	if s.byID == nil {
		s.byID = map[string]*account{}
	}
	s.byID[strings.ToLower(u.ID)] = a
	return u
}

// RemoveUser removes a user with all that is theirs, as a person in the console does.
func (s *Server) RemoveUser(userID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := s.must(userID)
	s.users = slices.DeleteFunc(s.users, func(a *account) bool { return a == gone })
	delete(s.byID, strings.ToLower(userID))
}

// AddKey adds an access key to the user, fills in what is missing save Active, and returns it. It does not ask
// how many keys the user has.
func (s *Server) AddKey(userID string, k Key) Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addKey(s.must(userID), k)
}

func (s *Server) addKey(a *account, k Key) Key {
	seed := s.seed("key")
	if k.ID == "" {
		k.ID = hex.EncodeToString(seed[:10])
	}
	if k.Secret == "" {
		k.Secret = base64.StdEncoding.EncodeToString(seed[:30])
	}
	k.Created = s.date(k.Created)
	if k.Modified.IsZero() {
		k.Modified = k.Created
	}
	k.Modified = s.date(k.Modified)
	a.keys = append(a.keys, k)
	return k
}

// SetBuckets says which buckets the user owns in the region.
func (s *Server) SetBuckets(userID string, region Region, names ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !region.known() {
		panic(fmt.Sprintf("ionostest: %q is no user-owned region", region))
	}
	s.tick()
	var buckets []ownedBucket
	for _, name := range names {
		buckets = append(buckets, ownedBucket{name: name, created: s.date(time.Time{})})
	}
	s.must(userID).buckets[region] = buckets
}

// Keys returns the user's keys as they are, in the order they were created.
func (s *Server) Keys(userID string) []Key {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.must(userID).keys)
}

// SwitchKey switches a key on or off, as a person in the console does.
func (s *Server) SwitchKey(userID, keyID string, active bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tick()
	a := s.must(userID)
	s.switchKey(a, a.mustIndex(keyID), active)
}

func (s *Server) switchKey(a *account, i int, active bool) {
	if a.keys[i].Active != active {
		a.keys[i].Active = active
		a.keys[i].Modified = s.date(time.Time{})
	}
}

// RemoveKey deletes a key, as a person in the console does.
func (s *Server) RemoveKey(userID, keyID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.must(userID)
	i := a.mustIndex(keyID)
	a.keys = slices.Delete(a.keys, i, i+1)
}

// LongID returns an access key id of the newer sort, 92 characters, different for every n.
func LongID(n int) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "long key %d", n))
	bytes := append([]byte{16, 0, 0, 0}, sum[:]...)
	bytes = append(bytes, 1)
	bytes = append(bytes, sum[:]...)
	return base64.RawURLEncoding.EncodeToString(bytes)
}

// hide makes the next reads of the user's keys show them as they are at this moment.
func (s *Server) hide(a *account) {
	if s.Lag > 0 {
		a.unseen = append(a.unseen, write{before: slices.Clone(a.keys), reads: s.Lag})
	}
}

// read returns the user's keys as one read of the API shows them.
func (a *account) read() []Key {
	if len(a.unseen) == 0 {
		return slices.Clone(a.keys)
	}
	shown := a.unseen[0].before
	for i := range a.unseen {
		a.unseen[i].reads--
	}
	a.unseen = slices.DeleteFunc(a.unseen, func(w write) bool { return w.reads == 0 })
	return shown
}

func (a *account) index(keyID string) int {
	return slices.IndexFunc(a.keys, func(k Key) bool { return k.ID == keyID })
}

func (a *account) mustIndex(keyID string) int {
	i := a.index(keyID)
	if i < 0 {
		panic(fmt.Sprintf("ionostest: user %s has no key %s", a.ID, keyID))
	}
	return i
}

func (a *account) ownsBuckets() bool {
	for _, buckets := range a.buckets {
		if len(buckets) > 0 {
			return true
		}
	}
	return false
}

// user returns nil where there is none.
func (s *Server) user(id string) *account {
	return s.byID[strings.ToLower(id)]
}

func (s *Server) find(match func(*account) bool) *account {
	if i := slices.IndexFunc(s.users, match); i >= 0 {
		return s.users[i]
	}
	return nil
}

func (s *Server) must(userID string) *account {
	a := s.user(userID)
	if a == nil {
		panic("ionostest: there is no user " + userID)
	}
	return a
}

func (s *Server) owner() string {
	if s.Owner == "" {
		return DefaultOwner
	}
	return s.Owner
}

func (r Region) known() bool { return r == Frankfurt || r == Berlin || r == Logrono }

// tick lets a second pass where there is no clock.
func (s *Server) tick() {
	if s.now.IsZero() {
		s.now = Epoch()
	}
	s.now = s.now.Add(time.Second)
}

func (s *Server) time() time.Time {
	if s.Now != nil {
		return s.Now()
	}
	return s.now
}

// date returns t, or the time it is if t is zero, as the API knows dates.
func (s *Server) date(t time.Time) time.Time {
	if t.IsZero() {
		t = s.time()
	}
	return t.UTC().Truncate(time.Second)
}

// seed returns the digest that a new thing's ids are made of, another one each time and the same in each run.
func (s *Server) seed(kind string) [32]byte {
	s.tick()
	s.serial++
	return sha256.Sum256(fmt.Appendf(nil, "%s %d", kind, s.serial))
}

func uuid(seed [32]byte) string {
	seed[6] = seed[6]&0x0f | 0x40
	seed[8] = seed[8]&0x3f | 0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", seed[0:4], seed[4:6], seed[6:8], seed[8:10], seed[10:16])
}
