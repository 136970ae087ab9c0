package webhook

// github translates the webhook of an organization: who is removed from it, or leaves it, leaves. GitHub tells no e-mail
// address, so that the identity map must have the login or the numeric id, and signs no time.
//
// The name of the event is in a header that nobody signs. It may only rule a message out: what it is about is decided by
// the body.
//
// The source is GitHub's documentation of webhook events, "organization".
func github(m message) ([]order, error) {
	if named := m.header.Get("X-Github-Event"); named != "" && named != "organization" {
		return nil, nil
	}
	var event struct {
		Action       string `json:"action"`
		Organization struct {
			Login string `json:"login"`
		} `json:"organization"`
		Membership struct {
			User struct {
				Login string `json:"login"`
				ID    text   `json:"id"`
			} `json:"user"`
		} `json:"membership"`
	}
	if err := read(m.body, &event); err != nil {
		return nil, err
	}
	if event.Action != "member_removed" || event.Organization.Login == "" {
		return nil, nil
	}
	user := event.Membership.User
	return []order{leaver("GitHub: removed from the organization", user.Login, string(user.ID))}, nil
}
