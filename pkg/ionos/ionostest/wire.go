package ionostest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// Everything begins with these three, and at depth 0 that is all.
type head struct {
	ID   string `json:"id"`
	Type string `json:"type"`
	Href string `json:"href"`
}

type collection struct {
	head

	// Items is nil where the depth does not reach them.
	Items *[]any `json:"items,omitempty"`
}

type userPage struct {
	head

	Items  []any     `json:"items"`
	Offset int       `json:"offset"`
	Limit  int       `json:"limit"`
	Links  pageLinks `json:"_links"`
}

type pageLinks struct {
	Prev string `json:"prev,omitempty"`
	Self string `json:"self"`
	Next string `json:"next,omitempty"`
}

type userEntity struct {
	head

	Metadata   userMetadata   `json:"metadata"`
	Properties userProperties `json:"properties"`
	Entities   userEntities   `json:"entities"`
}

type userMetadata struct {
	Etag        string  `json:"etag"`
	LastLogin   *string `json:"lastLogin"`
	CreatedDate string  `json:"createdDate"`
}

type userProperties struct {
	Firstname         string `json:"firstname"`
	Lastname          string `json:"lastname"`
	Email             string `json:"email"`
	Administrator     bool   `json:"administrator"`
	ForceSecAuth      bool   `json:"forceSecAuth"`
	SecAuthActive     bool   `json:"secAuthActive"`
	Active            bool   `json:"active"`
	S3CanonicalUserID string `json:"s3CanonicalUserId"`
}

type userEntities struct {
	Owns   head        `json:"owns"`
	Groups head        `json:"groups"`
	S3Keys *collection `json:"s3Keys,omitempty"`
}

type keyEntity struct {
	head

	Metadata   keyMetadata   `json:"metadata"`
	Properties keyProperties `json:"properties"`
}

type keyMetadata struct {
	Etag                 string `json:"etag"`
	CreatedDate          string `json:"createdDate"`
	CreatedBy            string `json:"createdBy,omitempty"`
	CreatedByUserID      string `json:"createdByUserId,omitempty"`
	LastModifiedDate     string `json:"lastModifiedDate,omitempty"`
	LastModifiedBy       string `json:"lastModifiedBy,omitempty"`
	LastModifiedByUserID string `json:"lastModifiedByUserId,omitempty"`
}

type keyProperties struct {
	SecretKey string `json:"secretKey"`
	Active    bool   `json:"active"`
}

type contractEntity struct {
	Type       string             `json:"type"`
	Properties contractProperties `json:"properties"`
}

type contractProperties struct {
	ContractNumber int    `json:"contractNumber"`
	Owner          string `json:"owner"`
	Status         string `json:"status"`
	RegDomain      string `json:"regDomain"`
}

type errorBody struct {
	HTTPStatus int            `json:"httpStatus"`
	Messages   []errorMessage `json:"messages"`
}

type errorMessage struct {
	ErrorCode string `json:"errorCode"`
	Message   string `json:"message"`
}

// The dates of users have a zone and those of keys have none; both are in UTC.
const (
	userDate = "2006-01-02T15:04:05Z"
	keyDate  = "2006-01-02T15:04:05"
)

// keysDepth is the depth from which on a user comes with the keys, and not only with their address.
const keysDepth = 3

// nesting is what a user comes with at that depth.
func (s *Server) nesting(a *account) Nesting {
	if s.Nesting == nil {
		return WholeKeys
	}
	return s.Nesting(a.User)
}

func (s *Server) userPage(root string, users []*account, depth, offset, limit int) userPage {
	address := root + BasePath + "/um/users"
	link := func(offset int) string {
		return fmt.Sprintf("%s?%s", address, url.Values{"offset": {fmt.Sprint(offset)}, "limit": {fmt.Sprint(limit)}}.Encode())
	}
	size := limit
	if s.PageSize > 0 {
		size = s.PageSize
	}
	end := min(offset+size, len(users))
	page := userPage{
		head: head{ID: "users", Type: "collection", Href: address}, Items: []any{},
		Offset: offset, Limit: limit, Links: pageLinks{Self: link(offset)},
	}
	if offset > 0 {
		page.Links.Prev = link(max(0, offset-size))
	}
	if end < len(users) && !s.NoNextLink {
		page.Links.Next = link(end)
	}
	for _, a := range users[min(offset, end):end] {
		page.Items = append(page.Items, s.userEntity(root, a, depth, s.nesting(a)))
	}
	return page
}

func (s *Server) userEntity(root string, a *account, depth int, nesting Nesting) any {
	self := a.head(root)
	if depth == 0 {
		return self
	}
	entity := userEntity{
		head:     self,
		Metadata: userMetadata{Etag: etag(a.ID), CreatedDate: a.Created.Format(userDate)},
		Properties: userProperties{
			Firstname: a.FirstName, Lastname: a.LastName, Email: a.Email, Administrator: a.Administrator,
			ForceSecAuth: a.TwoFactor, SecAuthActive: a.TwoFactor, Active: !a.Inactive, S3CanonicalUserID: a.canonicalID(),
		},
		Entities: userEntities{Owns: self.child("owns"), Groups: self.child("groups"), S3Keys: s.nestedKeys(root, a, depth, nesting)},
	}
	if !a.LastLogin.IsZero() {
		date := a.LastLogin.Format(userDate)
		entity.Metadata.LastLogin = &date
	}
	return entity
}

// nestedKeys returns what a user's entry has of the keys, nil where that is nothing.
func (s *Server) nestedKeys(root string, a *account, depth int, nesting Nesting) *collection {
	keys := collection{head: a.head(root).child("s3keys")}
	switch {
	case nesting == NoKeys:
		return nil
	case nesting == NoItems || depth < keysDepth:
	case nesting == KeyHeads:
		keys = s.keyCollection(root, a, a.read(), 0)
	default:
		keys = s.keyCollection(root, a, a.read(), depth)
	}
	return &keys
}

func (s *Server) keyCollection(root string, a *account, keys []Key, depth int) collection {
	items := []any{}
	for _, k := range keys {
		items = append(items, s.keyEntity(root, a, k, depth))
	}
	return collection{head: a.head(root).child("s3keys"), Items: &items}
}

func (s *Server) keyEntity(root string, a *account, k Key, depth int) any {
	self := head{ID: k.ID, Type: "s3key", Href: a.head(root).Href + "/s3keys/" + url.PathEscape(k.ID)}
	if depth == 0 {
		return self
	}
	metadata := keyMetadata{Etag: etag(k.ID + k.Modified.String()), CreatedDate: k.Created.Format(keyDate)}
	if s.ModifiedMetadata {
		metadata.CreatedBy, metadata.CreatedByUserID = a.Email, a.ID
		metadata.LastModifiedDate = k.Modified.Format(keyDate)
		metadata.LastModifiedBy, metadata.LastModifiedByUserID = a.Email, a.ID
	}
	return keyEntity{head: self, Metadata: metadata, Properties: keyProperties{SecretKey: k.Secret, Active: k.Active}}
}

func (s *Server) contracts(root string, depth int) collection {
	items := []any{struct {
		Type string `json:"type"`
	}{Type: "contract"}}
	if depth > 0 {
		items[0] = contractEntity{Type: "contract", Properties: contractProperties{
			ContractNumber: ContractNumber, Owner: s.owner(), Status: "BILLABLE", RegDomain: "ionos.de",
		}}
	}
	return collection{head: head{ID: "contracts", Type: "collection", Href: root + BasePath + "/contracts"}, Items: &items}
}

func (a *account) head(root string) head {
	return head{ID: a.ID, Type: "user", Href: root + BasePath + "/um/users/" + a.ID}
}

func (h head) child(name string) head {
	return head{ID: h.ID + "/" + name, Type: "collection", Href: h.Href + "/" + name}
}

// canonicalID is how Object Storage names the user.
func (a *account) canonicalID() string { return etag("canonical " + a.ID) }

// etag returns 32 hex digits that change with what.
func etag(what string) string {
	sum := sha256.Sum256([]byte(what))
	return hex.EncodeToString(sum[:16])
}

func writeRefusal(w http.ResponseWriter, r *http.Request, no *refusal) {
	writeJSON(w, r, no.status, errorBody{HTTPStatus: no.status, Messages: []errorMessage{{ErrorCode: no.code, Message: no.message}}})
}

// writeJSON answers with the body, indented unless the call says otherwise, or with none if it is nil.
func writeJSON(w http.ResponseWriter, r *http.Request, status int, body any) {
	if body == nil {
		w.WriteHeader(status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	send(w, encode(body, r.URL.Query().Get("pretty") != "false"))
}

// encode returns the JSON of a value of this package, each of which has one.
func encode(v any, pretty bool) []byte {
	var text []byte
	var err error
	if pretty {
		text, err = json.MarshalIndent(v, "", "  ")
	} else {
		text, err = json.Marshal(v)
	}
	if err != nil {
		panic(err)
	}
	return text
}

// send writes to the caller, and ends the call if the caller has gone.
func send(w http.ResponseWriter, p []byte) {
	if _, err := io.Copy(w, bytes.NewReader(p)); err != nil {
		panic(http.ErrAbortHandler)
	}
}

// flush sends what was written so far.
func flush(w http.ResponseWriter) {
	if err := http.NewResponseController(w).Flush(); err != nil {
		panic(http.ErrAbortHandler)
	}
}
