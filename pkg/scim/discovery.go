package scim

// describe returns the body of one of the paths by which a provider tells what it can do, as RFC 7643, sections 5 to 7,
// and RFC 7644, section 4, have them.
func describe(path string) (body any, ok bool) {
	switch path {
	case "ServiceProviderConfig":
		return config(), true
	case "ResourceTypes":
		return listOf(1, 1, []resourceType{userType()}), true
	case "ResourceTypes/User":
		return userType(), true
	case "Schemas":
		return listOf(1, 1, []schema{users()}), true
	case "Schemas/" + userSchema:
		return users(), true
	default:
		return nil, false
	}
}

type supported struct {
	Supported bool `json:"supported"`
}

type serviceProviderConfig struct {
	Schemas        []string               `json:"schemas"`
	Patch          supported              `json:"patch"`
	Bulk           bulk                   `json:"bulk"`
	Filter         filtering              `json:"filter"`
	ChangePassword supported              `json:"changePassword"`
	Sort           supported              `json:"sort"`
	Etag           supported              `json:"etag"`
	Authentication []authenticationScheme `json:"authenticationSchemes"`
	Meta           meta                   `json:"meta"`
}

type bulk struct {
	Supported      bool `json:"supported"`
	MaxOperations  int  `json:"maxOperations"`
	MaxPayloadSize int  `json:"maxPayloadSize"`
}

type filtering struct {
	Supported  bool `json:"supported"`
	MaxResults int  `json:"maxResults"`
}

type authenticationScheme struct {
	Type        string `json:"type"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Primary     bool   `json:"primary"`
}

func config() serviceProviderConfig {
	return serviceProviderConfig{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"},
		Patch:   supported{true},
		Filter:  filtering{Supported: true, MaxResults: maxCount},
		Authentication: []authenticationScheme{{
			Type: "oauthbearertoken", Name: "Bearer token", Description: "The secret that Keyreeve was given for SCIM.", Primary: true,
		}},
		Meta: meta{ResourceType: "ServiceProviderConfig", Location: Root + "/ServiceProviderConfig"},
	}
}

type resourceType struct {
	Schemas     []string `json:"schemas"`
	ID          string   `json:"id"`
	Name        string   `json:"name"`
	Endpoint    string   `json:"endpoint"`
	Description string   `json:"description"`
	Schema      string   `json:"schema"`
	Meta        meta     `json:"meta"`
}

func userType() resourceType {
	return resourceType{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:ResourceType"},
		ID:      "User", Name: "User", Endpoint: "/Users", Description: "A user of the IONOS contract.", Schema: userSchema,
		Meta: meta{ResourceType: "ResourceType", Location: Root + "/ResourceTypes/User"},
	}
}

type schema struct {
	Schemas     []string     `json:"schemas"`
	ID          string       `json:"id"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Attributes  []definition `json:"attributes"`
	Meta        meta         `json:"meta"`
}

type definition struct {
	Name          string       `json:"name"`
	Type          string       `json:"type"`
	SubAttributes []definition `json:"subAttributes,omitempty"`
	MultiValued   bool         `json:"multiValued"`
	Description   string       `json:"description"`
	Required      bool         `json:"required"`
	CaseExact     bool         `json:"caseExact"`
	Mutability    string       `json:"mutability"`
	Returned      string       `json:"returned"`
	Uniqueness    string       `json:"uniqueness"`
}

func users() schema {
	return schema{
		Schemas: []string{"urn:ietf:params:scim:schemas:core:2.0:Schema"},
		ID:      userSchema, Name: "User", Description: "A user of the IONOS contract.",
		Attributes: []definition{
			unique(text("userName", "The e-mail address of the IONOS user.")),
			complexOf("name", "The name in IONOS.", false,
				text("formatted", "The whole name."), text("givenName", "The first name."), text("familyName", "The last name.")),
			text("displayName", "The whole name."),
			complexOf("emails", "The e-mail address of the IONOS user.", true,
				text("value", "The address."), text("type", "Always work."), flag("primary", "Always true.")),
			settable(flag("active", "Whether the user may log in to IONOS and has not left. False means that they left.")),
		},
		Meta: meta{ResourceType: "Schema", Location: Root + "/Schemas/" + userSchema},
	}
}

// text defines an attribute that senders cannot set, as the other functions here do.
func text(name, description string) definition {
	return definition{Name: name, Type: "string", Description: description, Mutability: "readOnly", Returned: "default", Uniqueness: "none"}
}

func flag(name, description string) definition {
	boolean := text(name, description)
	boolean.Type = "boolean"
	return boolean
}

func complexOf(name, description string, multiValued bool, parts ...definition) definition {
	whole := text(name, description)
	whole.Type, whole.MultiValued, whole.SubAttributes = "complex", multiValued, parts
	return whole
}

func unique(d definition) definition {
	d.Required, d.Uniqueness = true, "server"
	return d
}

func settable(d definition) definition {
	d.Mutability = "readWrite"
	return d
}
