package identity_test

import (
	"fmt"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"keyreeve/pkg/guard"
	"keyreeve/pkg/identity"
)

func TestParse(t *testing.T) {
	t.Parallel()
	type emails = map[identity.Person]string
	octocat := identity.Person{Sender: "github", ID: "octocat"}
	for name, test := range map[string]struct {
		text string
		want emails
	}{
		"nothing":             {"", emails{}},
		"nothing but commas":  {" ,\n,, \r\n\t", emails{}},
		"one":                 {"github:octocat=alice@example.com", emails{octocat: "alice@example.com"}},
		"commas":              {"github:octocat=alice@example.com,slack:U1=bob@example.com", emails{octocat: "alice@example.com", {"slack", "u1"}: "bob@example.com"}},
		"lines":               {"github:octocat=alice@example.com\nslack:U1=bob@example.com\n", emails{octocat: "alice@example.com", {"slack", "u1"}: "bob@example.com"}},
		"lines of Windows":    {"github:octocat=alice@example.com\r\nslack:U1=bob@example.com\r\n", emails{octocat: "alice@example.com", {"slack", "u1"}: "bob@example.com"}},
		"both":                {"github:octocat=alice@example.com,\n,slack:U1=bob@example.com", emails{octocat: "alice@example.com", {"slack", "u1"}: "bob@example.com"}},
		"space around":        {"  github : octocat\t= alice@example.com ", emails{octocat: "alice@example.com"}},
		"comments":            {"# people, by login=email\ngithub:octocat=alice@example.com\n \t# no:one=nobody@example.com, a:b", emails{octocat: "alice@example.com"}},
		"capitals":            {"github:OctoCat=Alice@Example.COM", emails{octocat: "Alice@Example.COM"}},
		"other letters":       {"hibob:JÜRGEN Ünal=j@example.com", emails{{"hibob", "jÜrgen Ünal"}: "j@example.com"}},
		"the sign for kelvin": {"github:\u212A=a@example.com,github:k=b@example.com,github:K=b@example.com", emails{{"github", "\u212A"}: "a@example.com", {"github", "k"}: "b@example.com"}},
		"signs in an id":      {`workos:a:b "c"/#é🙂=alice@example.com`, emails{{"workos", `a:b "c"/#é🙂`}: "alice@example.com"}},
		"a sign in an e-mail": {"github:octocat=a=b@example.com", emails{octocat: "a=b@example.com"}},
		"a number":            {"bamboohr:101=alice@example.com", emails{{"bamboohr", "101"}: "alice@example.com"}},
		"a sender's number":   {"auth0:101=alice@example.com", emails{{"auth0", "101"}: "alice@example.com"}},
		"one id, two senders": {"github:1=alice@example.com,slack:1=bob@example.com", emails{{"github", "1"}: "alice@example.com", {"slack", "1"}: "bob@example.com"}},
		"one item twice":      {"github:octocat=alice@example.com,github:Octocat=ALICE@example.com", emails{octocat: "alice@example.com"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := identity.Parse(test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("e-mails (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParseRefuses(t *testing.T) {
	t.Parallel()
	const (
		form   = "is not of the form sender:id=email"
		sender = "has a sender that is not lower-case letters and digits"
		id     = "has no id of printable characters"
		email  = "has no e-mail address behind the ="
	)
	for name, test := range map[string]struct{ text, want string }{
		"a word":                      {"octocat", "item 1 " + form},
		"no id at all":                {"github=alice@example.com", "item 1 " + form},
		"no e-mail at all":            {"github:octocat", "item 1 " + form},
		"a comment behind an item":    {"github:octocat=alice@example.com,# or so", "item 2 " + form},
		"no sender":                   {":octocat=alice@example.com", "item 1 " + sender},
		"a sender in capitals":        {"GitHub:octocat=alice@example.com", "item 1 " + sender},
		"a sender with a sign":        {"git-hub:octocat=alice@example.com", "item 1 " + sender},
		"a sender with other letters": {"ökta:octocat=alice@example.com", "item 1 " + sender},
		"the wrong way round":         {"github=octocat:alice@example.com", "item 1 " + form},
		"an empty id":                 {"github: =alice@example.com", "item 1 " + id},
		"an id with a tab":            {"github:a\tb=alice@example.com", "item 1 " + id},
		"an id that cannot be seen":   {"github:a\u200bb=alice@example.com", "item 1 " + id},
		"an id that is no text":       {"github:a\xff=alice@example.com", "item 1 " + id},
		"an empty e-mail":             {"github:octocat= ", "item 1 " + email},
		"no e-mail":                   {"github:octocat=alice", "item 1 " + email},
		"an e-mail with a name":       {"github:octocat=Alice <alice@example.com>", "item 1 " + email},
		"an e-mail with other signs":  {"github:octocat=aliçe@example.com", "item 1 " + email},
		"two e-mails":                 {"github:octocat=alice@example.com=bob@example.com", "item 1 " + email},
		"all of it":                   {"GitHub:=alice", "item 1 " + sender + " and " + id + " and " + email},
		"another e-mail": {
			"github:a=alice@example.com,github:b=bob@example.com,github:A=bob@example.com",
			"item 3 has the id of item 1, and another e-mail address",
		},
		"many": {
			"# of\n,github:octocat=alice@example.com\n\nx,y:z=alice@example.com,slack:1=\nslack:2=bob@example.com",
			"item 2 " + form + "; item 4 " + email,
		},
		"too many to tell": {
			strings.Repeat("x,", 100_000),
			func() (all string) {
				for i := range 10 {
					all += fmt.Sprintf("item %d %s; ", i+1, form)
				}
				return all + "and 99990 more"
			}(),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := identity.Parse(test.text)
			wantInvalid(t, err, "The identity map is not right: "+test.want+".")
			if got != nil {
				t.Errorf("got %v beside the error", got)
			}
		})
	}
}

// FuzzParse reads arbitrary text. What is taken can be written again, one item after the other, and means the same then;
// what is refused is refused in a few words that show nobody's address.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"github:octocat=alice@example.com,slack:U024BE7LH=bob@example.com",
		"# HR\nbamboohr:101=alice@example.com\r\nhibob:2953468389107794004=alice@example.com\n",
		"github:Octocat=alice@example.com,github:octocat=bob@example.com",
		"workos: a:b = a=b@example.com ", "github:\u212A=a@b,github:k=b@b", "github:a\xff=a@b",
		"file:map.txt", "ssm:/keyreeve/identity/", "GitHub:=alice", "=:", ",", "#", "",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		emails, err := identity.Parse(text)
		if err != nil {
			known := guard.AsError(err)
			if known.Kind != guard.Invalid || known.Remedy == "" || len(known.Message) > 4<<10 || strings.Contains(known.Error(), "@") {
				t.Errorf("refused with %+v", known)
			}
			return
		}
		var again strings.Builder
		for person, email := range emails {
			switch {
			case person.Sender == "" || strings.ToLower(person.Sender) != person.Sender,
				person.ID == "" || strings.ContainsAny(person.ID, "=,\n\r") || strings.ContainsFunc(person.ID, func(c rune) bool { return c <= unicode.MaxASCII && unicode.IsUpper(c) }),
				!guard.IsEmail(email):
				t.Errorf("took %q for %q", email, person)
			}
			fmt.Fprintf(&again, "%s:%s=%s\n,", person.Sender, person.ID, email)
		}
		if strings.HasPrefix(again.String(), "#") {
			t.Errorf("a sender begins as a comment: %q", again.String())
		}
		same, err := identity.Parse(again.String())
		if err != nil {
			t.Fatalf("what was read cannot be read again: %v", err)
		}
		if diff := cmp.Diff(emails, same); diff != "" {
			t.Errorf("read again (-first +second):\n%s", diff)
		}
	})
}
