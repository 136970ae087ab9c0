package ionostest

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
)

type claims struct {
	Issuer    string   `json:"iss"`
	IssuedAt  int64    `json:"iat"`
	ExpiresAt int64    `json:"exp"`
	Client    string   `json:"client"`
	Identity  identity `json:"identity"`
}

type identity struct {
	UUID           string   `json:"uuid"`
	ContractNumber int      `json:"contractNumber"`
	Role           string   `json:"role"`
	Privileges     []string `json:"privileges"`
	IsParent       bool     `json:"isParent"`
}

// tokenYears is how long a token is valid: as long as anybody may want to test with it.
const tokenYears = 10

// Token returns a token of the user as IONOS issues them: a JWT with the claims of an identity. Its signature is
// nonsense. The role is "owner" for the contract's owner and "user" for everybody else.
func (s *Server) Token(userID string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	user := s.must(userID)
	issued := s.date(user.Created)
	role := "user"
	if s.isOwner(user.Email) {
		role = "owner"
	}
	payload := encode(claims{
		Issuer: "ionoscloud", IssuedAt: issued.Unix(), ExpiresAt: issued.AddDate(tokenYears, 0, 0).Unix(), Client: "USER",
		Identity: identity{UUID: user.ID, ContractNumber: ContractNumber, Role: role, Privileges: []string{}},
	}, false)
	segments := [][]byte{[]byte(`{"typ":"JWT","kid":"ionostest","alg":"RS256"}`), payload, []byte("this is no signature")}
	var token []string
	for _, segment := range segments {
		token = append(token, base64.RawURLEncoding.EncodeToString(segment))
	}
	return strings.Join(token, ".")
}

// authorized reports whether the credentials of the call are good.
func (s *Server) authorized(r *http.Request) bool {
	if s.Authorize != nil {
		return s.Authorize(r)
	}
	if name, password, ok := r.BasicAuth(); ok {
		s.mu.Lock()
		defer s.mu.Unlock()
		user := s.byEmail(name)
		return name != "" && password != "" && (user == nil || !user.TwoFactor)
	}
	return bearer(r) != ""
}

// permitted reports whether the caller may see and change what is the user's. Without a user's id it is about
// all users.
func (s *Server) permitted(r *http.Request, userID string) bool {
	if !s.Rights {
		return true
	}
	name, _, _ := r.BasicAuth()
	caller := s.byEmail(name)
	if name == "" {
		caller = s.user(tokenUser(bearer(r)))
	}
	if caller == nil {
		return s.isOwner(name)
	}
	return caller.Administrator || s.isOwner(caller.Email) || strings.EqualFold(caller.ID, userID)
}

func (s *Server) isOwner(email string) bool { return strings.EqualFold(email, s.owner()) }

func (s *Server) byEmail(email string) *account {
	return s.find(func(a *account) bool { return strings.EqualFold(a.Email, email) })
}

func bearer(r *http.Request) string {
	token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !ok {
		return ""
	}
	return token
}

// tokenUser returns the id of the user whose token this is, "" if it is of some other sort.
func tokenUser(token string) string {
	segments := strings.Split(token, ".")
	if len(segments) != 3 {
		return ""
	}
	payload, err := base64.RawURLEncoding.DecodeString(segments[1])
	if err != nil {
		return ""
	}
	var c claims
	if json.Unmarshal(payload, &c) != nil {
		return ""
	}
	return c.Identity.UUID
}
