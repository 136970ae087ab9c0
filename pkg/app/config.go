package app

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/kelseyhightower/envconfig"

	"keyreeve/pkg/guard"
)

// Config is the whole configuration, one field a variable of the environment. The tag form says what a value must
// be, for the message about one that is not.
type Config struct {
	Token          secret `envconfig:"IONOS_TOKEN"`
	Username       secret `envconfig:"IONOS_USERNAME"` // No secret, but kept with the password.
	Password       secret `envconfig:"IONOS_PASSWORD"`
	APIURL         string `envconfig:"IONOS_API_URL"`
	ContractNumber string `envconfig:"IONOS_CONTRACT_NUMBER"`
	// ObjectStorage is the address of an emulator of IONOS Object Storage.
	ObjectStorage httpAddress `envconfig:"KEYREEVE_OBJECT_STORAGE_ENDPOINT" form:"an http or https address"`

	// Secrets is the Secrets Manager id of a JSON object whose members stand for variables of type secret.
	Secrets string `envconfig:"KEYREEVE_SECRETS"`

	Ledger ledgerSetting `envconfig:"KEYREEVE_LEDGER" required:"true" form:"bolt:PATH or dynamodb:TABLE"`
	Bus    string        `envconfig:"KEYREEVE_BUS"`
	DryRun bool          `envconfig:"KEYREEVE_DRY_RUN" default:"false" form:"true or false"`

	DeadLetters httpAddress `envconfig:"KEYREEVE_DEAD_LETTERS" form:"the URL of an SQS queue, as in https://sqs.REGION.amazonaws.com/ACCOUNT/NAME"`

	DeleteGrace span       `envconfig:"KEYREEVE_DELETE_GRACE" default:"720h" form:"a duration above zero such as 720h"`
	EventMaxAge span       `envconfig:"KEYREEVE_EVENT_MAX_AGE" default:"24h" form:"a duration above zero such as 24h"`
	MaxChanges  limit      `envconfig:"KEYREEVE_MAX_CHANGES" default:"50" form:"a whole number above zero"`
	Exempt      exemptions `envconfig:"KEYREEVE_EXEMPT" form:"comma-separated patterns, each with an optional @YYYY-MM-DD"`
	Operators   patterns   `envconfig:"KEYREEVE_OPERATORS" form:"comma-separated patterns"`
	LogLevel    slog.Level `envconfig:"KEYREEVE_LOG_LEVEL" default:"info" form:"debug, info, warn or error"`

	// The secrets of senders, comma-separated, the newest first. A sender without one is off.
	OktaSecret     secret `envconfig:"KEYREEVE_WEBHOOK_OKTA_SECRET"`
	SCIMSecret     secret `envconfig:"KEYREEVE_WEBHOOK_SCIM_SECRET"`
	StandardSecret secret `envconfig:"KEYREEVE_WEBHOOK_STANDARD_SECRET"`
	GitHubSecret   secret `envconfig:"KEYREEVE_WEBHOOK_GITHUB_SECRET"`
	BambooHRSecret secret `envconfig:"KEYREEVE_WEBHOOK_BAMBOOHR_SECRET"`
	HiBobSecret    secret `envconfig:"KEYREEVE_WEBHOOK_HIBOB_SECRET"`
	WorkOSSecret   secret `envconfig:"KEYREEVE_WEBHOOK_WORKOS_SECRET"`

	// IdentityMap is the map itself, or where it is kept: file:PATH or ssm:NAME.
	IdentityMap   string `envconfig:"KEYREEVE_IDENTITY_MAP"`
	OktaGroups    names  `envconfig:"KEYREEVE_OKTA_GROUPS" form:"comma-separated names or ids"`
	BambooHREmail string `envconfig:"KEYREEVE_BAMBOOHR_EMAIL_FIELD" default:"Work Email"`
	SCIMActivate  bool   `envconfig:"KEYREEVE_SCIM_ACTIVATE" default:"false" form:"true or false"`

	// Slack. Without a signing secret chat is off, and without a bot token nobody is notified.
	SlackSigningSecret   secret      `envconfig:"KEYREEVE_SLACK_SIGNING_SECRET"`
	SlackBotToken        secret      `envconfig:"KEYREEVE_SLACK_BOT_TOKEN"`
	SlackCommandChannels slackIDs    `envconfig:"KEYREEVE_SLACK_COMMAND_CHANNELS" form:"comma-separated channel ids such as C0123ABCD"`
	SlackNoticeChannel   slackID     `envconfig:"KEYREEVE_SLACK_NOTICE_CHANNEL" form:"the id of one channel such as C0123ABCD"`
	SlackEndpoint        httpAddress `envconfig:"KEYREEVE_SLACK_ENDPOINT" form:"an http or https address"`
	Approvers            approvers   `envconfig:"KEYREEVE_APPROVERS" form:"self, or nothing"`

	// The sweep. Policies that are not enforced only report.
	SweepMaxAge       sweepMode      `envconfig:"KEYREEVE_SWEEP_MAX_AGE" default:"report" form:"report or enforce"`
	SweepInactiveUser sweepMode      `envconfig:"KEYREEVE_SWEEP_INACTIVE_USER" default:"report" form:"report or enforce"`
	SweepDelete       sweepMode      `envconfig:"KEYREEVE_SWEEP_DELETE" default:"report" form:"report or enforce"`
	MaxKeyAge         span           `envconfig:"KEYREEVE_MAX_KEY_AGE" form:"a duration above zero such as 2160h"`
	SweepMaxShare     percentage     `envconfig:"KEYREEVE_SWEEP_MAX_SHARE" default:"20" form:"a whole number from 1 to 100"`
	SweepReports      archiveSetting `envconfig:"KEYREEVE_SWEEP_REPORTS" form:"s3:BUCKET/PREFIX or file:FOLDER"`

	// What every AWS SDK reads. Lambda sets all but the endpoints.
	Region                 string `envconfig:"AWS_REGION"`
	AccessKeyID            string `envconfig:"AWS_ACCESS_KEY_ID"`
	SecretAccessKey        secret `envconfig:"AWS_SECRET_ACCESS_KEY"`
	SessionToken           secret `envconfig:"AWS_SESSION_TOKEN"`
	Endpoint               string `envconfig:"AWS_ENDPOINT_URL"`
	DynamoDBEndpoint       string `envconfig:"AWS_ENDPOINT_URL_DYNAMODB"`
	EventBridgeEndpoint    string `envconfig:"AWS_ENDPOINT_URL_EVENTBRIDGE"`
	S3Endpoint             string `envconfig:"AWS_ENDPOINT_URL_S3"`
	SecretsManagerEndpoint string `envconfig:"AWS_ENDPOINT_URL_SECRETS_MANAGER"`
	SQSEndpoint            string `envconfig:"AWS_ENDPOINT_URL_SQS"`
	SSMEndpoint            string `envconfig:"AWS_ENDPOINT_URL_SSM"`
}

// policy is the part of the configuration that the guard judges by.
func (c Config) policy() guard.Policy {
	return guard.Policy{
		DeleteGrace: time.Duration(c.DeleteGrace), EventMaxAge: time.Duration(c.EventMaxAge), MaxChanges: int(c.MaxChanges),
		Exemptions: c.Exempt, Operators: c.Operators, SCIMActivates: c.SCIMActivate,
	}
}

// usersOfAWS names the variables that make a function call AWS.
func (c Config) usersOfAWS() (variables []string) {
	for variable, uses := range map[string]bool{
		"KEYREEVE_BUS": c.Bus != "", "KEYREEVE_DEAD_LETTERS": c.DeadLetters != "", "KEYREEVE_LEDGER": c.Ledger.table != "",
		"KEYREEVE_SECRETS": c.Secrets != "", "KEYREEVE_SWEEP_REPORTS": c.SweepReports.bucket != "",
		"KEYREEVE_IDENTITY_MAP": strings.HasPrefix(c.IdentityMap, "ssm:"),
	} {
		if uses {
			variables = append(variables, variable)
		}
	}
	slices.Sort(variables)
	return variables
}

// readEnvironment fills the configuration from the environment, and returns a sentence for each variable at fault.
//
// The library stops at the first problem, so each field is given to it as a structure of its own. Its own error
// texts repeat the value, which may be a secret in the wrong place; ours say what the value must be.
func readEnvironment(config *Config) (problems []string) {
	fields := reflect.ValueOf(config).Elem()
	var known []string
	for i := range fields.NumField() {
		field := fields.Type().Field(i)
		variable := field.Tag.Get("envconfig")
		known = append(known, variable)
		if err := unsetEmpty(variable); err != nil {
			problems = append(problems, err.Error())
		}
		if !wanted(field) { // Most are absent, and each costs a function some of its time to start.
			continue
		}
		single := reflect.New(reflect.StructOf([]reflect.StructField{field}))
		if err := envconfig.Process("", single.Interface()); err != nil {
			problems = append(problems, problem(variable, field.Tag.Get("form"), err))
		}
		fields.Field(i).Set(single.Elem().Field(0))
	}
	return append(problems, misspelt(known)...)
}

// wanted reports whether the library has something to do for a field: its variable is set, or must be, or has a default.
func wanted(field reflect.StructField) bool {
	_, set := os.LookupEnv(field.Tag.Get("envconfig"))
	return set || field.Tag.Get("required") != "" || field.Tag.Get("default") != ""
}

// misspelt returns a sentence for each of our variables that is none: whoever sets it believes in a rule that does not
// hold.
func misspelt(known []string) (problems []string) {
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "KEYREEVE_") && !slices.Contains(known, name) {
			problems = append(problems, name+" is no variable of Keyreeve: it is misspelt, or of another version.")
		}
	}
	return problems
}

// unsetEmpty makes an empty variable an absent one: a CloudFormation template has no way to leave one out.
func unsetEmpty(variable string) error {
	if value, set := os.LookupEnv(variable); set && value == "" {
		return os.Unsetenv(variable)
	}
	return nil
}

func problem(variable, form string, err error) string {
	parse, wrong := errors.AsType[*envconfig.ParseError](err)
	if !wrong {
		return fmt.Sprintf("%s is missing: it must be %s.", variable, form)
	}
	if reason, ok := errors.AsType[*settingError](parse.Err); ok {
		return fmt.Sprintf("%s must be %s: %s.", variable, form, reason.text)
	}
	return fmt.Sprintf("%s must be %s.", variable, form)
}

// secret is a variable that must not be seen.
type secret struct{ guard.Secret }

func (s *secret) Decode(value string) error {
	s.Secret = guard.NewSecret(value)
	return nil
}

// itemsOf returns the parts of a secret that is a list, comma-separated.
func itemsOf(list guard.Secret) (items []guard.Secret) {
	for item := range strings.SplitSeq(list.Reveal(), ",") {
		items = append(items, guard.NewSecret(strings.TrimSpace(item)))
	}
	return items
}

// settingError is a reason to reject a value, without the value.
type settingError struct{ text string }

func (e *settingError) Error() string { return e.text }

// ledgerSetting is the path of a file or the name of a table.
type ledgerSetting struct{ path, table string }

func (l *ledgerSetting) Decode(value string) error {
	kind, name, _ := strings.Cut(value, ":")
	switch {
	case name == "":
		return &settingError{"it names none"}
	case kind == "bolt":
		l.path = name
	case kind == "dynamodb":
		l.table = name
	default:
		return &settingError{"no other ledger is built in"}
	}
	return nil
}

type httpAddress string

func (a *httpAddress) Decode(value string) error {
	u, err := url.Parse(value)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
		return &settingError{"it is none"}
	}
	*a = httpAddress(value)
	return nil
}

type span time.Duration

func (s *span) Decode(value string) error {
	d, err := time.ParseDuration(value)
	if err != nil || d <= 0 {
		return &settingError{"it is none"}
	}
	*s = span(d)
	return nil
}

type limit int

func (l *limit) Decode(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n <= 0 {
		return &settingError{"it is none"}
	}
	*l = limit(n)
	return nil
}

type exemptions []guard.Exemption

func (e *exemptions) Decode(value string) error {
	for i, item := range strings.Split(value, ",") {
		exemption, err := guard.ParseExemption(item)
		if err != nil {
			return &settingError{fmt.Sprintf("item %d %v", i+1, err)}
		}
		*e = append(*e, exemption)
	}
	return nil
}

type patterns []guard.Pattern

func (p *patterns) Decode(value string) error {
	for i, item := range strings.Split(value, ",") {
		pattern, err := guard.ParsePattern(item)
		if err != nil {
			return &settingError{fmt.Sprintf("item %d %v", i+1, err)}
		}
		*p = append(*p, pattern)
	}
	return nil
}

type names []string

func (n *names) Decode(value string) error {
	for i, item := range strings.Split(value, ",") {
		name := strings.TrimSpace(item)
		if name == "" {
			return &settingError{fmt.Sprintf("item %d is empty", i+1)}
		}
		*n = append(*n, name)
	}
	return nil
}

// slackID is what Slack calls a channel by. Its name, with a #, is something else.
type slackID string

func (i *slackID) Decode(value string) error {
	if value == "" || strings.Trim(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789") != "" {
		return &settingError{"it is none"}
	}
	*i = slackID(value)
	return nil
}

type slackIDs []string

func (i *slackIDs) Decode(value string) error {
	for n, item := range strings.Split(value, ",") {
		var id slackID
		if err := id.Decode(strings.TrimSpace(item)); err != nil {
			return &settingError{fmt.Sprintf("item %d is none", n+1)}
		}
		*i = append(*i, string(id))
	}
	return nil
}

// approvers says who may approve besides a second person.
type approvers struct{ self bool }

func (a *approvers) Decode(value string) error {
	a.self = value == "self"
	if !a.self {
		return &settingError{"it is neither"}
	}
	return nil
}

type sweepMode guard.SweepMode

func (m *sweepMode) Decode(value string) error {
	*m = sweepMode(value)
	if mode := guard.SweepMode(value); mode != guard.Report && mode != guard.Enforce {
		return &settingError{"it is neither"}
	}
	return nil
}

type percentage int

func (p *percentage) Decode(value string) error {
	n, err := strconv.Atoi(value)
	if err != nil || n < 1 || n > 100 {
		return &settingError{"it is none"}
	}
	*p = percentage(n)
	return nil
}

// archiveSetting is a folder, or a bucket of S3 with how the names of its objects begin.
type archiveSetting struct{ folder, bucket, prefix string }

func (a *archiveSetting) Decode(value string) error {
	kind, place, _ := strings.Cut(value, ":")
	switch {
	case place == "":
		return &settingError{"it names none"}
	case kind == "file":
		a.folder = place
	case kind == "s3":
		a.bucket, a.prefix, _ = strings.Cut(place, "/")
		if len(a.bucket) < 3 || strings.Trim(a.bucket, "abcdefghijklmnopqrstuvwxyz0123456789.-") != "" {
			return &settingError{"that is no name of a bucket"}
		}
	default:
		return &settingError{"no other archive is built in"}
	}
	return nil
}
