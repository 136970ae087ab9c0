package ionostest

import (
	"crypto/subtle"
	"encoding/xml"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

type bucketList struct {
	XMLName xml.Name   `xml:"http://s3.amazonaws.com/doc/2006-03-01/ ListAllMyBucketsResult"`
	OwnerID string     `xml:"Owner>ID"`
	Owner   string     `xml:"Owner>DisplayName"`
	Buckets []s3Bucket `xml:"Buckets>Bucket"`
}

type s3Bucket struct {
	Name         string `xml:"Name"`
	CreationDate string `xml:"CreationDate"`
}

type s3Error struct {
	XMLName   xml.Name `xml:"Error"`
	Code      string   `xml:"Code"`
	Message   string   `xml:"Message"`
	RequestID string   `xml:"RequestId"`

	status int
}

// s3Date is how Object Storage writes dates.
const s3Date = "2006-01-02T15:04:05.000Z"

// listBuckets answers the one call to Object Storage that is known here: GET /.
func (s *Server) listBuckets(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet || strings.Trim(r.URL.Path, "/") != "" {
		writeXML(w, http.StatusNotImplemented, s3Error{
			Code: "NotImplemented", Message: "ionostest knows no " + r.Method + " " + r.URL.EscapedPath(),
		})
		return
	}
	list, failed := s.signedFor(r)
	if failed != nil {
		writeXML(w, failed.status, failed)
		return
	}
	writeXML(w, http.StatusOK, list)
}

// signedFor returns the buckets of the user whose key signed the call, in the region it was signed for.
func (s *Server) signedFor(r *http.Request) (bucketList, *s3Error) {
	signed, ok := readSignature(r)
	switch {
	case !ok:
		return bucketList{}, &s3Error{status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
	case !signed.region.known():
		return bucketList{}, &s3Error{
			status: http.StatusBadRequest, Code: "AuthorizationHeaderMalformed",
			Message: "The region " + string(signed.region) + " is not one of this storage",
		}
	}

	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.find(func(a *account) bool { return a.index(signed.keyID) >= 0 })
	if a == nil {
		return bucketList{}, &s3Error{status: http.StatusForbidden, Code: "InvalidAccessKeyId", Message: "The access key does not exist"}
	}
	key := a.keys[a.index(signed.keyID)]
	switch {
	case !signed.verify(r, key.Secret):
		return bucketList{}, &s3Error{status: http.StatusForbidden, Code: "SignatureDoesNotMatch", Message: "The signature does not match"}
	case !key.Active:
		return bucketList{}, &s3Error{status: http.StatusForbidden, Code: "AccessDenied", Message: "Access Denied"}
	}
	list := bucketList{OwnerID: a.canonicalID(), Owner: a.Email}
	for _, b := range a.buckets[signed.region] {
		list.Buckets = append(list.Buckets, s3Bucket{Name: b.name, CreationDate: b.created.Format(s3Date)})
	}
	return list, nil
}

// signature is what a call says of how it was signed.
type signature struct {
	keyID   string
	region  Region
	time    time.Time
	headers []string
}

// readSignature reads the Authorization header of Signature Version 4.
func readSignature(r *http.Request) (signature, bool) {
	fields, ok := strings.CutPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 ")
	if !ok {
		return signature{}, false
	}
	var signed signature
	for field := range strings.SplitSeq(fields, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(field), "=")
		switch name {
		case "Credential":
			scope := strings.Split(value, "/")
			if len(scope) != 5 || scope[3] != "s3" {
				return signature{}, false
			}
			signed.keyID, signed.region = scope[0], Region(scope[2])
		case "SignedHeaders":
			signed.headers = strings.Split(value, ";")
		}
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	signed.time = at
	return signed, err == nil && slices.Contains(signed.headers, "host") && signed.keyID != ""
}

// verify signs the call again and compares. How old a signature is does not matter: the clock here is not that of
// the caller.
func (signed signature) verify(r *http.Request, secret string) bool {
	// The path may have lost a prefix on its way here; it was signed as it was sent.
	target, err := url.ParseRequestURI(r.RequestURI)
	if err != nil {
		return false
	}
	again := &http.Request{Method: r.Method, URL: target, Host: r.Host, Header: http.Header{}}
	for _, name := range signed.headers {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = r.ContentLength
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	signer := v4.NewSigner(func(o *v4.SignerOptions) { o.DisableURIPathEscaping = true })
	credentials := aws.Credentials{AccessKeyID: signed.keyID, SecretAccessKey: secret}
	hash := r.Header.Get("X-Amz-Content-Sha256")
	if err := signer.SignHTTP(r.Context(), credentials, again, hash, "s3", string(signed.region), signed.time); err != nil {
		return false
	}
	return subtle.ConstantTimeCompare([]byte(again.Header.Get("Authorization")), []byte(r.Header.Get("Authorization"))) == 1
}

func writeXML(w http.ResponseWriter, status int, body any) {
	text, err := xml.Marshal(body)
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	send(w, append([]byte(xml.Header), text...))
}
