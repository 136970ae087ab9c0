package scim

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"keyreeve/pkg/edge"
	"keyreeve/pkg/guard"
)

const (
	// maxCount is the greatest and the usual number of users on a page.
	maxCount = 100
	// readsAtOnce is for how many users at once is asked whether they have left.
	readsAtOnce = 10
	// keptFor is how long a list of all users serves for the next page of it.
	keptFor = 30 * time.Second
	// nobodysID is a well-formed UUID that no user has.
	nobodysID = "00000000-0000-4000-8000-000000000000"
)

// listing is the last list of all users. Senders import page by page, and each page would read the whole contract again,
// because IONOS neither counts nor filters users as SCIM does. Nobody is judged by it: where a user is named, that user is
// read.
type listing struct {
	mu    sync.Mutex
	users []guard.User
	until time.Time
}

// allUsers returns all users by id, which is an order that stays. Those who call at the same time wait for one list.
func (p *Provider) allUsers(ctx context.Context) ([]guard.User, error) {
	p.listing.mu.Lock()
	defer p.listing.mu.Unlock()
	if p.Clock().Before(p.listing.until) {
		return p.listing.users, nil
	}
	users, err := p.Users.ListUsers(ctx)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(users, func(a, b guard.User) int { return strings.Compare(a.ID, b.ID) })
	p.listing.users, p.listing.until = users, p.Clock().Add(keptFor)
	return users, nil
}

// list answers with a page of the users whom the filter leaves.
func (p *Provider) list(ctx context.Context, c call) (answer, error) {
	query, err := url.ParseQuery(c.query)
	if err != nil {
		return answer{}, invalid(invalidSyntax, "The query is not percent-encoded correctly.", "Percent-encode the filter.")
	}
	wanted, err := readFilter(query.Get("filter"))
	if err != nil {
		return answer{}, err
	}
	start, count, err := readPage(query)
	if err != nil {
		return answer{}, err
	}
	users, err := p.candidates(ctx, wanted)
	if err != nil {
		return answer{}, err
	}
	found := make([]resource, len(users))
	for i, user := range users {
		found[i] = newResource(user)
	}
	if wanted.asksActive {
		if err := p.markLeavers(ctx, found); err != nil {
			return answer{}, err
		}
	}
	found = slices.DeleteFunc(found, func(r resource) bool { return !wanted.matches(r) })
	first := min(start-1, len(found))
	page := found[first : first+min(count, len(found)-first)]
	if !wanted.asksActive {
		if err := p.markLeavers(ctx, page); err != nil {
			return answer{}, err
		}
	}
	return answer{http.StatusOK, listOf(len(found), start, page)}, nil
}

// readPage returns the number of the first user, from 1, and how many there may be.
func readPage(query url.Values) (start, count int, err error) {
	start, count = 1, maxCount
	for parameter, number := range map[string]*int{"startIndex": &start, "count": &count} {
		if text := query.Get(parameter); text != "" {
			if *number, err = strconv.Atoi(text); err != nil {
				return 0, 0, invalid(invalidValue, parameter+" is not a number.", "Count users in digits, from 1.")
			}
		}
	}
	return max(start, 1), min(max(count, 0), maxCount), nil
}

// candidates returns users among whom are all that match. Where only one can, that one is looked up.
//
// Names that can be nobody's cost a look, too: with one of these Entra ID tests its connection, and a list without users
// means to it that all is well, also with the IONOS credentials.
func (p *Provider) candidates(ctx context.Context, wanted selection) ([]guard.User, error) {
	switch {
	case guard.IsEmail(wanted.userName):
		user, err := p.Users.FindUser(ctx, wanted.userName)
		switch guard.KindOf(err) {
		case "":
			return []guard.User{user}, nil
		case guard.NotFound:
			return nil, nil
		case guard.Invalid: // Several have the address, and the sender should see that.
			return p.allUsers(ctx)
		default:
			return nil, err
		}
	case wanted.userName != "" && !strings.Contains(wanted.userName, "@"):
		_, err := p.Users.FindUser(ctx, nobodysID)
		if guard.KindOf(err) == guard.NotFound {
			return nil, nil
		}
		return nil, err
	default:
		return p.allUsers(ctx)
	}
}

// markLeavers sets those to inactive who have left.
func (p *Provider) markLeavers(ctx context.Context, resources []resource) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(readsAtOnce)
	for i := range resources {
		shown := &resources[i]
		if !shown.Active {
			continue
		}
		group.Go(func() error {
			left, err := edge.Shield(func() (bool, error) { return p.left(ctx, shown.ID) })
			shown.Active = !left
			return err
		})
	}
	return group.Wait()
}

// left reports whether the user was offboarded and nobody has switched a key of theirs on since.
func (p *Provider) left(ctx context.Context, userID string) (bool, error) {
	memory, err := p.Memory.Recall(ctx, userID)
	if err != nil || memory.OffboardedAt.IsZero() {
		return false, err
	}
	keys, err := p.Users.ListKeys(ctx, userID)
	if guard.KindOf(err) == guard.NotFound { // Gone from IONOS since they were listed.
		return true, nil
	}
	return err == nil && len(guard.ActiveKeys(keys)) == 0, err
}

// show answers with one user.
func (p *Provider) show(ctx context.Context, c call) (answer, error) {
	user, err := p.Users.FindUser(ctx, c.user)
	if err != nil {
		return answer{}, err
	}
	left, err := p.left(ctx, user.ID)
	if err != nil {
		return answer{}, err
	}
	shown := newResource(user)
	shown.Active = user.Active && !left
	return answer{http.StatusOK, shown}, nil
}

// create refuses to make a user, in words that the sender shows to whoever assigned the person.
func (p *Provider) create(ctx context.Context, c call) (answer, error) {
	body, err := readUser(c.body)
	if err != nil {
		return answer{}, err
	}
	if body.userName == "" {
		return answer{}, invalid(invalidValue, "The user has no userName.", "Send the e-mail address as userName.")
	}
	if !guard.IsEmail(body.userName) { // IONOS users are known by their e-mail addresses.
		return answer{}, makesNoUsers(body.userName)
	}
	_, err = p.Users.FindUser(ctx, body.userName)
	switch guard.KindOf(err) {
	case "", guard.Invalid:
		return answer{}, alreadyThere(body.userName)
	case guard.NotFound:
		return answer{}, makesNoUsers(body.userName)
	default:
		return answer{}, err
	}
}
