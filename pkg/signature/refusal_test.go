package signature_test

import (
	"crypto/ed25519"
	"encoding/base64"
	"encoding/hex"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// refusal is something wrong with a message, and what the log is told of it.
type refusal struct {
	spoil func(*message)
	want  string
}

const (
	unknown   = "no signature goes with a secret"
	noTime    = "the time is none"
	noList    = "the list of signatures is none"
	undated   = "the signature has no time"
	tooOld    = "the time is too long ago"
	tooNew    = "the time lies too far ahead"
	noID      = "the id is none"
	tooMany   = "there are more than 10 signatures"
	isMissing = " is missing"
)

// refusals returns all that can be wrong with a message of the sender.
func (s sender) refusals() map[string]refusal {
	all := map[string]refusal{
		"a header of another sender": {func(m *message) { m.header = http.Header{"X-Signature": {"v0=1"}} }, s.firstHeader() + isMissing},
	}
	maps.Copy(all, s.ofSecrets())
	maps.Copy(all, s.ofHeaders())
	maps.Copy(all, s.ofSignatures())
	if s.timed() {
		maps.Copy(all, s.ofTimes())
	}
	if s.profile == "standard" {
		maps.Copy(all, s.ofLists())
	}
	if s.profile == "workos" {
		maps.Copy(all, s.ofDatedSignatures())
	}
	if s.profile == "bamboohr" {
		maps.Copy(all, s.ofBorders())
	}
	return all
}

// firstHeader is the one that is looked for first.
func (s sender) firstHeader() string {
	if s.dated {
		return "WorkOS-Signature"
	}
	return s.canonical(s.signature)
}

// canonical is a name as the sender writes it.
func (s sender) canonical(name string) string {
	return strings.Replace(name, "Bamboohr", "BambooHR", 1)
}

func (s sender) ofSecrets() map[string]refusal {
	all := map[string]refusal{
		"another secret": {func(m *message) {
			stranger := s
			stranger.secrets[0] = "a secret that is not configured"
			if s.id != "" {
				stranger.secrets[0] = "whsec_AAECAwQFBgcICQoLDA0ODw=="
			}
			stranger.signsWith[0] = ""
			m.header = stranger.sign(0, now(), m.body)
		}, unknown},
	}
	if s.signsWith[0] != "" {
		as := func(kind string, key []byte) refusal {
			return refusal{func(m *message) {
				stranger := s
				stranger.signsWith[0] = kind + base64.StdEncoding.EncodeToString(key)
				m.header = stranger.sign(0, now(), m.body)
			}, unknown}
		}
		known, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(publicKey, "whpk_"))
		if err != nil {
			panic(err)
		}
		all["another private key"] = as("whsk_", ed25519.NewKeyFromSeed(known))
		all["the public key as a secret"] = as("whsec_", known)
	}
	if !s.signs() {
		for name, sent := range map[string]string{
			"the secret and more":       s.secrets[0] + "x",
			"the secret without an end": strings.TrimSuffix(s.secrets[0], "y"),
			"the secret in capitals":    strings.ToUpper(s.secrets[0]),
			"the secret in base64":      base64.StdEncoding.EncodeToString([]byte(s.secrets[0])),
			"both secrets":              s.secrets[0] + s.secrets[1],
			"a space before the secret": " " + s.secrets[0],
			"a space after the secret":  s.secrets[0] + " ",
			"another scheme":            "Basic " + s.secrets[0],
		} {
			all[name] = refusal{func(m *message) { m.header.Set("Authorization", s.prefix+sent) }, unknown}
		}
		all["a single character"] = refusal{func(m *message) { m.header.Set("Authorization", "x") }, unknown}
	}
	return all
}

// ofHeaders returns what can happen to each header that takes part.
func (s sender) ofHeaders() map[string]refusal {
	all := map[string]refusal{}
	for _, name := range slices.DeleteFunc([]string{s.signature, s.time, s.id}, func(name string) bool { return name == "" }) {
		said := s.canonical(name)
		if s.dated {
			said = "WorkOS-Signature"
		}
		joined := map[string]string{s.time: noTime, s.id: noID, s.signature: unknown}[name]
		if s.id != "" && name == s.signature {
			joined = noList
		}
		all["no "+name] = refusal{func(m *message) { m.header.Del(name) }, said + isMissing}
		all["an empty "+name] = refusal{func(m *message) { m.header.Set(name, "") }, said + isMissing}
		all["two "+name] = refusal{func(m *message) { m.header.Add(name, m.header.Get(name)) }, said + " is there 2 times"}
		all["two "+name+", one of them empty"] = refusal{func(m *message) { m.header.Add(name, "") }, said + " is there 2 times"}
		all["two "+name+" joined"] = refusal{func(m *message) {
			m.change(name, func(value string) string { return value + "," + value })
		}, joined}
		all["two "+name+" joined with a space"] = refusal{func(m *message) {
			m.change(name, func(value string) string { return value + ", " + value })
		}, joined}
		all["a "+name+" of 4097 bytes"] = refusal{func(m *message) {
			m.change(name, func(value string) string { return value + strings.Repeat("x", 4097-len(value)) })
		}, said + " has more than 4096 bytes"}
	}
	return all
}

func (s sender) ofSignatures() map[string]refusal {
	change := func(to func(value string) string, want string) refusal {
		return refusal{func(m *message) { m.change(s.signature, to) }, want}
	}
	all := map[string]refusal{
		"a space before the signature": change(func(value string) string { return " " + value }, s.wants(unknown, undated, noList)),
		"a space after the signature":  change(func(value string) string { return value + " " }, s.wants(unknown, unknown, noList)),
	}
	if s.prefix != "" {
		bare := unknown
		if s.profile == "standard" {
			bare = noList
		}
		all["a signature without its prefix"] = change(func(value string) string { return value[len(s.prefix):] }, bare)
		all["an empty signature"] = change(func(string) string { return s.prefix }, unknown)
	}
	if !s.signs() {
		return all
	}
	all["a body that was changed"] = refusal{func(m *message) { m.body[3] ^= 1 }, unknown}
	all["a body without its end"] = refusal{func(m *message) { m.body = m.body[:len(m.body)-1] }, unknown}
	all["a body with a line break at the end"] = refusal{func(m *message) { m.body = append(m.body, '\n') }, unknown}
	all["a signature that was changed"] = change(func(value string) string {
		i := len(value) - 10
		return value[:i] + map[bool]string{true: "b", false: "a"}[value[i] == 'a'] + value[i+1:]
	}, unknown)
	all["half a signature"] = change(func(value string) string { return value[:len(value)-32] }, unknown)
	if s.profile != "standard" && !s.dated {
		all["a signature with another prefix"] = change(func(value string) string { return "v1=" + value[len(s.prefix):] }, unknown)
	}
	for name, encode := range s.otherEncodings() {
		all["the signature in "+name] = change(func(value string) string {
			start, rest := s.cut(value)
			return start + encode(rest)
		}, unknown)
	}
	return all
}

// wants returns what the log is told: of most senders, of one whose time is with the signature, and of one with a list.
func (s sender) wants(most, dated, list string) string {
	switch {
	case s.dated:
		return dated
	case s.profile == "standard":
		return list
	}
	return most
}

// cut takes what stands before an encoded signature from it.
func (s sender) cut(value string) (start, encoded string) {
	i := len(s.prefix)
	if s.dated {
		i = strings.Index(value, "v1=") + len("v1=")
	}
	return value[:i], value[i:]
}

// otherEncodings returns other ways to write the signature, each of the same bytes.
func (s sender) otherEncodings() map[string]func(string) string {
	if s.profile != "standard" && s.profile != "hibob" {
		raw := func(encoded string) []byte {
			decoded, err := hex.DecodeString(encoded)
			if err != nil {
				panic(err)
			}
			return decoded
		}
		return map[string]func(string) string{
			"capitals": strings.ToUpper,
			"base64":   func(encoded string) string { return base64.StdEncoding.EncodeToString(raw(encoded)) },
		}
	}
	raw := func(encoded string) []byte {
		decoded, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil {
			panic(err)
		}
		return decoded
	}
	return map[string]func(string) string{
		"hex":                   func(encoded string) string { return hex.EncodeToString(raw(encoded)) },
		"base64 with no end":    func(encoded string) string { return strings.TrimRight(encoded, "=") },
		"base64 with a break":   func(encoded string) string { return encoded[:8] + "\n" + encoded[8:] },
		"base64 with more ends": func(encoded string) string { return encoded + "=" },
		"base64 with loose bits": func(encoded string) string {
			const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
			bare := strings.TrimRight(encoded, "=")
			last := strings.IndexByte(alphabet, bare[len(bare)-1])
			return bare[:len(bare)-1] + alphabet[last+1:last+2] + encoded[len(bare):]
		},
	}
}

func (s sender) ofTimes() map[string]refusal {
	all := map[string]refusal{
		"too old":               {func(m *message) { m.now = m.now.Add(s.past + 1) }, tooOld},
		"too new":               {func(m *message) { m.now = m.now.Add(-s.future - 1) }, tooNew},
		"another time in reach": {func(m *message) { s.changeTime(m, func(string) string { return s.write(now().Add(time.Second)) }) }, unknown},
	}
	for name, change := range map[string]struct {
		to   func(digits string) string
		want string
	}{
		"a time with a sign":         {func(digits string) string { return "+" + digits }, noTime},
		"a time below zero":          {func(digits string) string { return "-" + digits }, noTime},
		"a time after a space":       {func(digits string) string { return " " + digits }, noTime},
		"a time before a tab":        {func(digits string) string { return digits + "\t" }, noTime},
		"a time after a zero":        {func(digits string) string { return "0" + digits }, noTime},
		"a time with a fraction":     {func(digits string) string { return digits + ".0" }, noTime},
		"a time in hex":              {func(digits string) string { return "0x" + digits }, noTime},
		"a time with an exponent":    {func(digits string) string { return digits + "e0" }, noTime},
		"a time with an underscore":  {func(digits string) string { return digits[:3] + "_" + digits[3:] }, noTime},
		"a time in other digits":     {func(digits string) string { return "\u0661" + digits[1:] }, noTime},
		"a time that is a date":      {func(string) string { return "2026-11-22T10:00:00Z" }, noTime},
		"a time of 14 digits":        {func(string) string { return "10000000000000" }, noTime},
		"a time too long to count":   {func(string) string { return "18446744075503" + strings.Repeat("0", 30) }, noTime},
		"a time of zero":             {func(string) string { return "0" }, noTime},
		"a time at the beginning":    {func(string) string { return "1" }, tooOld},
		"a time at the end":          {func(string) string { return "9999999999999" }, tooNew},
		"a time in another unit":     {func(string) string { return s.writeInOtherUnit(now()) }, map[bool]string{true: tooOld, false: tooNew}[s.dated]},
		"a time without its seconds": {func(digits string) string { return digits[:len(digits)-1] }, tooOld},
	} {
		all[name] = refusal{func(m *message) { s.changeTime(m, change.to) }, change.want}
	}
	return all
}

// changeTime puts another time where the sender has it.
func (s sender) changeTime(m *message, to func(digits string) string) {
	if !s.dated {
		m.change(s.time, to)
		return
	}
	m.change(s.signature, func(value string) string {
		digits, rest, _ := strings.Cut(strings.TrimPrefix(value, "t="), ",")
		return "t=" + to(digits) + "," + rest
	})
}

func (s sender) write(at time.Time) string {
	if s.dated {
		return strconv.FormatInt(at.UnixMilli(), 10)
	}
	return strconv.FormatInt(at.Unix(), 10)
}

func (s sender) writeInOtherUnit(at time.Time) string {
	s.dated = !s.dated
	return s.write(at)
}

// ofLists returns what can be wrong with lists of signatures and signed ids.
func (s sender) ofLists() map[string]refusal {
	change := func(to func(value string) string, want string) refusal {
		return refusal{func(m *message) { m.change(s.signature, to) }, want}
	}
	rename := func(name string) refusal {
		return refusal{func(m *message) {
			m.header["Svix-"+strings.TrimPrefix(name, "Webhook-")] = m.header[name]
			m.header.Del(name)
		}, name + isMissing}
	}
	underID := func(id string) refusal {
		return refusal{func(m *message) { m.header = s.signAs(id, now(), m.body) }, noID}
	}
	return map[string]refusal{
		"several wrong signatures": change(func(value string) string {
			return "v1,AAAA v1a,AAAA" + strings.Repeat(" v2"+value[len(s.prefix)-1:], 8)
		}, unknown),
		"eleven signatures":      change(func(value string) string { return value + strings.Repeat(" v1,AAAA", 10) }, tooMany),
		"two spaces in the list": change(func(value string) string { return value + "  v1,AAAA" }, noList),
		"no comma in the list":   change(func(value string) string { return value + " v1" }, noList),
		"a tab in the list":      change(func(value string) string { return value + "\tv1,AAAA" }, noList),
		"lists that were joined": change(func(value string) string { return value + " v1,AAAA, " + value + " v1,AAAA" }, noList),
		"the other version": change(func(value string) string {
			return map[string]string{"v1,": "v1a,", "v1a,": "v1,"}[s.prefix] + value[len(s.prefix):]
		}, unknown),
		"the version in a capital":  change(func(value string) string { return "V" + value[1:] }, unknown),
		"an id of Svix":             rename("Webhook-Id"),
		"a time of Svix":            rename("Webhook-Timestamp"),
		"a signature of Svix":       rename("Webhook-Signature"),
		"an id of 257 bytes":        underID(strings.Repeat("x", 257)),
		"an id with a full stop":    underID("msg.1"),
		"an id with a comma":        underID("msg,1"),
		"an id with a space":        underID("msg 1"),
		"an id with a line break":   underID("msg\n1"),
		"an id that is not ASCII":   underID("ms\u0433"),
		"another id":                {func(m *message) { m.header.Set(s.id, messageID+"x") }, unknown},
		"an id in capitals":         {func(m *message) { m.header.Set(s.id, strings.ToUpper(messageID)) }, unknown},
		"a border that was shifted": {func(m *message) { m.header.Set(s.id, messageID+"."+m.header.Get(s.time)) }, noID},
	}
}

// ofDatedSignatures returns what can be wrong with a header that holds the time and the signature.
func (s sender) ofDatedSignatures() map[string]refusal {
	change := func(to func(time, v1 string) string, want string) refusal {
		return refusal{func(m *message) {
			m.change(s.signature, func(value string) string { return to(strings.Split(value, ", ")[0], strings.Split(value, ", ")[1]) })
		}, want}
	}
	return map[string]refusal{
		"a second time before":    change(func(time, v1 string) string { return time + ", " + time + ", " + v1 }, unknown),
		"a second time after":     change(func(time, v1 string) string { return time + ", " + v1 + ", " + time }, unknown),
		"a second time, no space": change(func(time, v1 string) string { return time + "," + time + ", " + v1 }, noTime),
		"a second signature":      change(func(time, v1 string) string { return time + ", " + v1 + ", " + v1 }, unknown),
		"a wrong signature first": change(func(time, v1 string) string { return time + ", v1=00, " + v1 }, unknown),
		"no time in it":           change(func(_, v1 string) string { return v1 }, undated),
		"no signature in it":      change(func(time, _ string) string { return time }, undated),
		"an empty time":           change(func(_, v1 string) string { return "t=, " + v1 }, noTime),
		"an empty signature":      change(func(time, _ string) string { return time + ", v1=" }, unknown),
		"no name of the time":     change(func(time, v1 string) string { return time[2:] + ", " + v1 }, undated),
		"no name of the other":    change(func(time, v1 string) string { return time + ", " + v1[3:] }, unknown),
		"the other way round":     change(func(time, v1 string) string { return v1 + ", " + time }, undated),
		"another version":         change(func(time, v1 string) string { return time + ", v2=" + v1[3:] }, unknown),
		"no space in between":     change(func(time, v1 string) string { return time + "," + v1 }, undated),
		"something after it":      change(func(time, v1 string) string { return time + ", " + v1 + ", v2=00" }, unknown),
	}
}

// ofBorders returns ways to read the same signed bytes as another body and another time.
func (s sender) ofBorders() map[string]refusal {
	move := func(body, time, want string) refusal {
		return refusal{func(m *message) {
			m.header = s.sign(0, now(), []byte("salary=5000"))
			m.body = []byte(body)
			m.header.Set(s.time, time)
		}, want}
	}
	digits := s.write(now())
	return map[string]refusal{
		"zeros that belong to the body":  move("salary=5", "000"+digits, noTime),
		"digits that belong to the body": move("salary=", "5000"+digits, noTime),
		"digits that belong to the time": move("salary=5000"+digits[:1], digits[1:], tooOld),
		"all that belongs to the time":   move("salary=5000"+digits, "", s.canonical(s.time)+isMissing),
	}
}
