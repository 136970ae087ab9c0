package app_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"keyreeve/pkg/app"
)

// token is one as IONOS issues them, of the user with the UUID.
func token() string {
	claims := `{"identity":{"uuid":"1c6ba1ba-4f9a-4f0a-9d3a-0d7b3b1c6c01","role":"owner"}}`
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(claims)) + ".c2ln"
}

// setenv makes the environment exactly what a function needs, and then as the test wants it.
func setenv(t *testing.T, changes map[string]string) {
	t.Helper()
	for _, variable := range os.Environ() {
		name, _, _ := strings.Cut(variable, "=")
		if strings.HasPrefix(name, "KEYREEVE_") || strings.HasPrefix(name, "IONOS_") || strings.HasPrefix(name, "AWS_") {
			t.Setenv(name, "") // What is set is restored at the end; and an empty variable is an absent one.
		}
	}
	needed := map[string]string{"IONOS_TOKEN": token(), "KEYREEVE_LEDGER": "bolt:" + filepath.Join(t.TempDir(), "ledger.db")}
	for name, value := range needed {
		t.Setenv(name, value)
	}
	for name, value := range changes {
		t.Setenv(name, value)
	}
}

func TestAFunctionStartsWithWhatItNeeds(t *testing.T) {
	for name, changes := range map[string]map[string]string{
		"the least":         nil,
		"name and password": {"IONOS_TOKEN": "", "IONOS_USERNAME": "keyreeve@example.com", "IONOS_PASSWORD": "s"},
		"empty ones are absent": {
			"KEYREEVE_DRY_RUN": "", "KEYREEVE_DELETE_GRACE": "", "KEYREEVE_EVENT_MAX_AGE": "", "KEYREEVE_MAX_CHANGES": "",
			"KEYREEVE_EXEMPT": "", "KEYREEVE_OPERATORS": "", "KEYREEVE_LOG_LEVEL": "", "KEYREEVE_BUS": "", "KEYREEVE_SECRETS": "",
			"KEYREEVE_DEAD_LETTERS": "",
			"IONOS_API_URL":         "", "IONOS_CONTRACT_NUMBER": "",
		},
		"everything": {
			"KEYREEVE_DRY_RUN": "true", "KEYREEVE_DELETE_GRACE": "48h", "KEYREEVE_EVENT_MAX_AGE": "1h", "KEYREEVE_MAX_CHANGES": "5",
			"KEYREEVE_EXEMPT": "*@robots.example.com, 00e1@2027-01-31", "KEYREEVE_OPERATORS": "*@ops.example.com", "KEYREEVE_LOG_LEVEL": "warn",
			"KEYREEVE_BUS": "keyreeve", "KEYREEVE_DEAD_LETTERS": "https://sqs.eu-central-1.amazonaws.com/111122223333/Dead", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
			"IONOS_API_URL": "https://api.example.com", "IONOS_CONTRACT_NUMBER": "31234567",
		},
		"a table that nobody asks for yet": {
			"KEYREEVE_LEDGER": "dynamodb:keyreeve", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b",
			"AWS_ENDPOINT_URL_DYNAMODB": "http://127.0.0.1:1",
		},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, changes)
			if _, err := app.NewAction(t.Context(), "deactivate"); err != nil {
				t.Error(err)
			}
			if _, err := app.NewInventory(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestEveryVariableAtFaultIsNamed(t *testing.T) {
	const canary = "canary-5f1e"
	for name, test := range map[string]struct {
		changes map[string]string
		want    []string
	}{
		"nothing set":            {map[string]string{"IONOS_TOKEN": "", "KEYREEVE_LEDGER": ""}, []string{"IONOS_TOKEN", "IONOS_USERNAME", "KEYREEVE_LEDGER"}},
		"a password is missing":  {map[string]string{"IONOS_TOKEN": "", "IONOS_USERNAME": "k@example.com"}, []string{"IONOS_PASSWORD"}},
		"two ways to log in":     {map[string]string{"IONOS_USERNAME": "k@example.com"}, []string{"IONOS_TOKEN", "IONOS_USERNAME"}},
		"no token of IONOS":      {map[string]string{"IONOS_TOKEN": canary}, []string{"IONOS_TOKEN"}},
		"a ledger not built in":  {map[string]string{"KEYREEVE_LEDGER": "redis:keyreeve"}, []string{"KEYREEVE_LEDGER must be bolt:PATH or dynamodb:TABLE"}},
		"a table without a name": {map[string]string{"KEYREEVE_LEDGER": "dynamodb:"}, []string{"KEYREEVE_LEDGER", "it names none"}},
		"a table and no region":  {map[string]string{"KEYREEVE_LEDGER": "dynamodb:keyreeve"}, []string{"AWS_REGION is missing, for KEYREEVE_LEDGER.", "AWS_ACCESS_KEY_ID is missing, for KEYREEVE_LEDGER."}},
		"a table, a bus and no region": {
			map[string]string{"KEYREEVE_LEDGER": "dynamodb:keyreeve", "KEYREEVE_BUS": "keyreeve"},
			[]string{"AWS_REGION is missing, for KEYREEVE_BUS and KEYREEVE_LEDGER."},
		},
		"a ledger in no folder":  {map[string]string{"KEYREEVE_LEDGER": "bolt:/nowhere/at/all/ledger.db"}, []string{"/nowhere/at/all"}},
		"a bus without a region": {map[string]string{"KEYREEVE_BUS": "keyreeve"}, []string{"AWS_REGION", "AWS_ACCESS_KEY_ID"}},
		"dead letters without a region": {
			map[string]string{"KEYREEVE_DEAD_LETTERS": "https://sqs.eu-central-1.amazonaws.com/111122223333/Dead"},
			[]string{"AWS_REGION is missing, for KEYREEVE_DEAD_LETTERS.", "AWS_ACCESS_KEY_ID"},
		},
		"dead letters by their ARN": {
			map[string]string{"KEYREEVE_DEAD_LETTERS": "arn:aws:sqs:eu-central-1:111122223333:Dead"},
			[]string{"KEYREEVE_DEAD_LETTERS must be the URL of an SQS queue"},
		},
		"dead letters by their name": {map[string]string{"KEYREEVE_DEAD_LETTERS": "Dead"}, []string{"KEYREEVE_DEAD_LETTERS must be the URL of an SQS queue"}},
		"an empty exemption":         {map[string]string{"KEYREEVE_EXEMPT": "a@example.com,"}, []string{"KEYREEVE_EXEMPT"}},
		"a date that is none":        {map[string]string{"KEYREEVE_EXEMPT": "a@example.com@2027-02-30"}, []string{"KEYREEVE_EXEMPT", "item 1 ends in something like a date"}},
		"a variable misspelt":        {map[string]string{"KEYREEVE_EXEMPTS": "a@example.com"}, []string{"KEYREEVE_EXEMPTS"}},
		"a secret misplaced": {
			map[string]string{
				"KEYREEVE_DRY_RUN": canary, "KEYREEVE_LOG_LEVEL": canary, "KEYREEVE_DELETE_GRACE": canary, "KEYREEVE_MAX_CHANGES": canary,
				"KEYREEVE_EXEMPT": "[" + canary, "KEYREEVE_OPERATORS": "[" + canary, "KEYREEVE_LEDGER": canary, "IONOS_API_URL": "ftp://" + canary,
				"IONOS_CONTRACT_NUMBER": canary,
			},
			[]string{"KEYREEVE_DRY_RUN", "true or false", "KEYREEVE_LOG_LEVEL", "KEYREEVE_EXEMPT", "item 1"},
		},
		"all at once": {
			map[string]string{
				"IONOS_TOKEN": "", "IONOS_API_URL": "ftp://example.com", "IONOS_CONTRACT_NUMBER": "one", "KEYREEVE_LEDGER": "file",
				"KEYREEVE_DRY_RUN": "maybe", "KEYREEVE_DELETE_GRACE": "30 days", "KEYREEVE_EVENT_MAX_AGE": "-1h", "KEYREEVE_MAX_CHANGES": "0",
				"KEYREEVE_EXEMPT": ",", "KEYREEVE_OPERATORS": "[", "KEYREEVE_LOG_LEVEL": "loud",
			},
			[]string{
				"IONOS_TOKEN", "IONOS_API_URL", "IONOS_CONTRACT_NUMBER", "KEYREEVE_LEDGER", "KEYREEVE_DRY_RUN", "KEYREEVE_DELETE_GRACE",
				"KEYREEVE_EVENT_MAX_AGE", "KEYREEVE_MAX_CHANGES", "KEYREEVE_EXEMPT", "KEYREEVE_OPERATORS", "KEYREEVE_LOG_LEVEL",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			setenv(t, test.changes)
			_, err := app.NewAction(t.Context(), "delete")
			wantNamed(t, err, canary, test.want)
			wantNamed(t, err, token(), nil)
		})
	}
}

func TestSecretsComeFromSecretsManager(t *testing.T) {
	const canary = "canary-91ab"
	for name, test := range map[string]struct {
		secret string
		status int
		want   []string // What the error names; none: the function starts.
	}{
		"an object":         {secret: `{"IONOS_TOKEN":"` + token() + `","KEYREEVE_WEBHOOK_OKTA_SECRET":"` + canary + `"}`, status: 200},
		"name and password": {secret: `{"IONOS_USERNAME":"k@example.com","IONOS_PASSWORD":"` + canary + `"}`, status: 200},
		"another object":    {secret: `{"TOKEN":"` + canary + `"}`, status: 200, want: []string{"IONOS_TOKEN"}},
		"no object":         {secret: canary, status: 200, want: []string{"KEYREEVE_SECRETS", "JSON object"}},
		"not to be read":    {status: 400, want: []string{"KEYREEVE_SECRETS", "could not be read", "AccessDeniedException"}},
	} {
		t.Run(name, func(t *testing.T) {
			asked := ""
			manager := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				asked = r.Header.Get("X-Amz-Target") + " " + string(body)
				answer, marshalErr := json.Marshal(map[string]string{"SecretString": test.secret})
				if err != nil || marshalErr != nil {
					t.Error(err, marshalErr)
				}
				w.Header().Set("Content-Type", "application/x-amz-json-1.1")
				if test.status != http.StatusOK {
					w.Header().Set("X-Amzn-Errortype", "AccessDeniedException")
					answer = []byte(`{"message":"the canonical request held ` + canary + `"}`)
				}
				w.WriteHeader(test.status)
				_, _ = w.Write(answer)
			}))
			defer manager.Close()
			setenv(t, map[string]string{
				"IONOS_TOKEN": "", "KEYREEVE_SECRETS": "arn:secret", "AWS_REGION": "eu-central-1", "AWS_ACCESS_KEY_ID": "a",
				"AWS_SECRET_ACCESS_KEY": "b", "AWS_ENDPOINT_URL_SECRETS_MANAGER": manager.URL,
			})
			_, err := app.NewAction(context.Background(), "activate")
			if (err != nil) != (test.want != nil) {
				t.Fatalf("error = %v", err)
			}
			if asked != `secretsmanager.GetSecretValue {"SecretId":"arn:secret"}` {
				t.Errorf("asked for %s", asked)
			}
			for _, named := range test.want {
				if !strings.Contains(err.Error(), named) {
					t.Errorf("%q is not named in:\n%v", named, err)
				}
			}
			if err != nil && strings.Contains(err.Error(), "IONOS credentials are missing") && test.status != http.StatusOK {
				t.Errorf("the message blames what could not be read:\n%v", err)
			}
			if err != nil && strings.Contains(err.Error(), canary) {
				t.Errorf("the message repeats a secret:\n%v", err)
			}
		})
	}
}

// TestTemplateSetsWhatTheCodeReads holds the variables of the template, the code and the README against each other.
func TestTemplateSetsWhatTheCodeReads(t *testing.T) {
	var read []string
	for field := range reflect.TypeFor[app.Config]().Fields() {
		read = append(read, field.Tag.Get("envconfig"))
	}
	for id, f := range functions(t, deploy(t, slackOn())) {
		for name := range f.Environment.Variables {
			if !slices.Contains(read, name) {
				t.Errorf("%s is given %s, which nobody reads", id, name)
			}
		}
	}
	readme, err := os.ReadFile(root + "README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range read {
		if !strings.Contains(string(readme), "`"+name+"`") && !strings.HasPrefix(name, "AWS_") {
			t.Errorf("the README does not explain %s", name)
		}
	}
}
