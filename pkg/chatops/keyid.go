package chatops

import (
	"strings"
	"unicode"

	"keyreeve/pkg/guard"
)

// exampleKey is what an access key id looks like.
const exampleKey = "4fec9c05b7f6db9c1b5f"

const (
	hexID = 20
	// longID is how long the newer ids get, which look like base64 for addresses.
	longID = 92
)

// keyIDs returns the access key ids of which a word consists, with commas between them and backticks around them, and
// whether it holds nothing else.
func keyIDs(word string) (ids []string, all bool) {
	for part := range strings.SplitSeq(word, ",") {
		switch id := strings.Trim(part, "`"); {
		case isKeyID(id):
			ids = append(ids, id)
		case id != "":
			return nil, false
		}
	}
	return ids, true
}

// isKeyID reports whether a word has the form of a whole access key id. Ids are opaque, and a word that is none does no
// harm as one: its user has no such key. But it must not be something else that is known.
func isKeyID(word string) bool {
	if isHex(word) {
		return len(word) == hexID && strings.ToLower(word) == word
	}
	return len(word) >= hexID && len(word) <= longID && mayBeKey(word) && !guard.IsUUID(word) &&
		!strings.ContainsFunc(word, func(r rune) bool { return r != '-' && r != '_' && !isAlphanumeric(r) })
}

// looksLikeKey reports whether a word holds what hardly anything in a sentence is but a key id, or a part of one: small hex
// digits of both sorts, many digits and letters in a row, the zeros at the head of a long id, or what an ellipsis was put
// behind.
func looksLikeKey(word string) bool {
	for run := range strings.FieldsFuncSeq(word, func(r rune) bool { return !isAlphanumeric(r) }) {
		lower := strings.ToLower(run) == run
		switch {
		case len(run) >= 6 && isHex(run) && lower && hasDigit(run) && hasLetter(run),
			len(run) >= 16 && (isHex(run) || hasDigit(run)),
			strings.Contains(run, "AAAA"),
			isHex(run) && hasDigit(run) && hasEllipsis(word):
			return true
		}
	}
	return false
}

// mayBeKey reports whether a word could be a key id, or a part of one, rather than a part of a reason. Where that is hard
// to say, it could.
func mayBeKey(word string) bool {
	if looksLikeKey(word) || strings.Contains(word, "`") || hasEllipsis(word) && hasLetter(word) {
		return true
	}
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return strings.ContainsRune(".,:;=!?()[]{}<>*~'‘’\"“”„", r) }) {
		if isHex(part) && (len(part) >= 6 || len(part) >= 4 && hasDigit(part) && hasLetter(part)) {
			return true
		}
	}
	for run := range strings.FieldsFuncSeq(word, func(r rune) bool { return !isAlphanumeric(r) }) {
		if len(run) >= 6 && isJumbled(run) {
			return true
		}
	}
	return false
}

// isJumbled reports whether capitals, small letters and digits follow each other as they do at random: INC0012345 and
// iPhone15 are no such thing.
func isJumbled(run string) bool {
	jumps := 0
	if hasDigit(run) {
		jumps++
	}
	for i := 1; i < len(run); i++ {
		before, after := rune(run[i-1]), rune(run[i])
		if unicode.IsDigit(before) && unicode.IsLetter(after) || unicode.IsLower(before) && unicode.IsUpper(after) {
			jumps++
		}
	}
	return jumps >= 3
}

// isProse reports whether a word says something: numbers and hex digits do not.
func isProse(word string) bool {
	return strings.ContainsFunc(word, unicode.IsLetter) && (!isHex(undecorated(word)) || !hasDigit(word))
}

func isAlphanumeric(r rune) bool {
	return r <= unicode.MaxASCII && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

func isHex(word string) bool {
	return word != "" && strings.Trim(word, "0123456789abcdefABCDEF") == ""
}

func hasDigit(word string) bool { return strings.ContainsAny(word, "0123456789") }

func hasLetter(word string) bool {
	return strings.ContainsFunc(word, func(r rune) bool { return isAlphanumeric(r) && unicode.IsLetter(r) })
}

func hasEllipsis(word string) bool {
	return strings.Contains(word, "…") || strings.Contains(word, "..")
}
