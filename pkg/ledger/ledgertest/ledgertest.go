// Package ledgertest stands in for DynamoDB in tests: it runs dynalite, an emulator from npm, with tables as
// template.yaml describes them. The tests of pkg/ledger hold the ledger against it, those of other packages run with it.
package ledgertest

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
	"go.yaml.in/yaml/v4"

	"keyreeve/pkg/tooltest"
)

// emulator is what npm needs to install dynalite, and the program that runs it.
//
//go:embed package.json package-lock.json dynalite.js
var emulator embed.FS

// DynamoDB is an emulator that runs until the end of the test that started it. It takes any region and credentials.
type DynamoDB struct {
	// Endpoint is its address, for AWS_ENDPOINT_URL_DYNAMODB.
	Endpoint string
	// Client looks at what the ledger has written.
	Client   *dynamodb.Client
	template string
}

// Start starts an emulator without tables. Where Node.js or npm is missing, it skips the test; where
// the environment has CI=true, it fails it.
func Start(t *testing.T) *DynamoDB {
	t.Helper()
	for _, tool := range []string{"node", "npm"} {
		if _, err := exec.LookPath(tool); err != nil {
			tooltest.GiveUp(t, "NOT TESTED ON DYNAMODB: "+tool+" is not installed. The emulator needs Node.js 20 or newer, with npm.")
		}
	}
	root := repository(t)
	d := &DynamoDB{Endpoint: run(t, install(t, filepath.Join(root, ".bin"))), template: filepath.Join(root, "template.yaml")}
	d.Client = dynamodb.New(dynamodb.Options{
		Region: "eu-central-1", BaseEndpoint: aws.String(d.Endpoint), Credentials: credentials.NewStaticCredentialsProvider("any", "any", ""),
	})
	return d
}

// repository returns the folder that the module is in: tests run in the folder of their package.
func repository(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(folder, "go.mod")); err == nil {
			return folder
		}
		if filepath.Dir(folder) == folder {
			t.Fatal("there is no go.mod in any folder above this one")
		}
		folder = filepath.Dir(folder)
	}
}

// install makes sure that the emulator is installed somewhere below cache, and returns the folder that it is in.
// Several test binaries may do so at once: each installs for itself, and the first to be done leaves it for all.
// Another version, or another file of ours, has another place.
func install(t *testing.T, cache string) string {
	t.Helper()
	sum := sha256.New()
	for _, name := range []string{"package.json", "package-lock.json", "dynalite.js"} {
		data, err := emulator.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = sum.Write(data) // never fails
	}
	installed := filepath.Join(cache, fmt.Sprintf("dynalite-%x", sum.Sum(nil)[:6]))
	if _, err := os.Stat(installed); err == nil {
		return installed
	}
	draft := installed + "." + rand.Text()
	t.Cleanup(func() { _ = os.RemoveAll(draft) })
	if err := os.CopyFS(draft, emulator); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "ci", "--omit=dev", "--ignore-scripts", "--no-audit", "--no-fund")
	npm.Dir = draft
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm ci: %v\n%s", err, out)
	}
	if err := os.Rename(draft, installed); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
	return installed
}

// run starts the emulator and returns its address once it answers there.
func run(t *testing.T, folder string) string {
	t.Helper()
	// The context of a test ends before its cleanup.
	node := exec.CommandContext(context.WithoutCancel(t.Context()), "node", filepath.Join(folder, "dynalite.js"))
	node.Stderr = os.Stderr
	lifeline, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = lifeline.Close()
		if err := node.Wait(); err != nil {
			t.Errorf("the DynamoDB emulator ended: %v", err)
		}
	})
	address, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		t.Fatalf("the DynamoDB emulator did not start, which may be for want of Node.js 20: %v", err)
	}
	return strings.TrimSpace(address)
}

// Table makes an empty table with the key that template.yaml gives it, and returns its name. The emulator never deletes
// what has expired.
func (d *DynamoDB) Table(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(d.template)
	if err != nil {
		t.Fatal(err)
	}
	var template struct {
		Resources struct {
			Table struct {
				Properties struct {
					AttributeDefinitions []struct {
						Name string `yaml:"AttributeName"`
						Type string `yaml:"AttributeType"`
					} `yaml:"AttributeDefinitions"`
					KeySchema []struct {
						Name string `yaml:"AttributeName"`
						Type string `yaml:"KeyType"`
					} `yaml:"KeySchema"`
				} `yaml:"Properties"`
			} `yaml:"Table"`
		} `yaml:"Resources"`
	}
	if err := yaml.Unmarshal(text, &template); err != nil {
		t.Fatal(err)
	}
	in := &dynamodb.CreateTableInput{TableName: aws.String(rand.Text()), BillingMode: types.BillingModePayPerRequest}
	for _, a := range template.Resources.Table.Properties.AttributeDefinitions {
		in.AttributeDefinitions = append(in.AttributeDefinitions, types.AttributeDefinition{
			AttributeName: aws.String(a.Name), AttributeType: types.ScalarAttributeType(a.Type),
		})
	}
	for _, k := range template.Resources.Table.Properties.KeySchema {
		in.KeySchema = append(in.KeySchema, types.KeySchemaElement{AttributeName: aws.String(k.Name), KeyType: types.KeyType(k.Type)})
	}
	if _, err := d.Client.CreateTable(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	// The table is there a moment after the answer.
	waiter := dynamodb.NewTableExistsWaiter(d.Client, func(o *dynamodb.TableExistsWaiterOptions) {
		o.MinDelay, o.MaxDelay = time.Millisecond, 10*time.Millisecond
	})
	if err := waiter.Wait(t.Context(), &dynamodb.DescribeTableInput{TableName: in.TableName}, time.Minute); err != nil {
		t.Fatal(err)
	}
	return *in.TableName
}
