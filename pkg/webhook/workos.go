package webhook

// workosUser is a user of a directory that WorkOS keeps in step with.
type workosUser struct {
	ID string `json:"id"`
	// IDPID is the directory's own id of the user.
	IDPID  string `json:"idp_id"`
	State  string `json:"state"`
	Email  string `json:"email"`
	Emails []struct {
		Primary bool   `json:"primary"`
		Value   string `json:"value"`
	} `json:"emails"`
}

// workos translates an event of directory sync. A directory that is disconnected as a whole takes no access from anybody.
//
// The source is WorkOS's documentation of events, "Directory Sync events", and of the directory user, whose state
// suspended is one of the past.
func workos(m message) ([]order, error) {
	var event struct {
		ID        string     `json:"id"`
		Event     string     `json:"event"`
		Data      workosUser `json:"data"`
		CreatedAt string     `json:"created_at"`
	}
	if err := read(m.body, &event); err != nil {
		return nil, err
	}
	user := event.Data
	gone := event.Event == "dsync.user.deleted"
	inactive := event.Event == "dsync.user.updated" && (user.State == "inactive" || user.State == "suspended")
	if !gone && !inactive {
		return nil, nil
	}
	o := leaver("WorkOS: "+event.Event, user.email(), user.IDPID, user.ID)
	return []order{o.happened(event.ID, instant(event.CreatedAt))}, nil
}

func (u workosUser) email() string {
	email := u.Email
	for _, e := range u.Emails {
		if email == "" && e.Primary {
			email = e.Value
		}
	}
	return email
}
