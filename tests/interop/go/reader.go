package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// cosigner verifies cosignature/v1, type 0x04.
type cosigner struct {
	name string
	hash uint32
	key  ed25519.PublicKey
}

func (c *cosigner) Name() string    { return c.name }
func (c *cosigner) KeyHash() uint32 { return c.hash }

func (c *cosigner) Verify(msg, sig []byte) bool {
	if len(sig) != 8+ed25519.SignatureSize {
		return false
	}
	at := binary.BigEndian.Uint64(sig)
	if at > math.MaxInt64 {
		return false
	}
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", at, msg)
	return ed25519.Verify(c.key, []byte(signed), sig[8:])
}

func newCosigner(vkey string) (*cosigner, error) {
	parts := strings.SplitN(vkey, "+", 3)
	if len(parts) != 3 {
		return nil, errors.New("no verifier key")
	}
	id, err := hex.DecodeString(parts[1])
	if err != nil || len(id) != 4 {
		return nil, errors.New("no key id")
	}
	raw, err := base64.StdEncoding.DecodeString(parts[2])
	if err != nil || len(raw) != 1+ed25519.PublicKeySize || raw[0] != 4 {
		return nil, errors.New("not the key of a witness")
	}
	sum := sha256.Sum256(append([]byte(parts[0]+"\n"), raw...))
	if !bytes.Equal(sum[:4], id) {
		return nil, errors.New("the id of another key")
	}
	return &cosigner{parts[0], binary.BigEndian.Uint32(id), ed25519.PublicKey(raw[1:])}, nil
}

// reader knows whom to believe.
type reader struct {
	known     note.Verifiers
	witnesses map[string]bool
	quorum    int
}

type checkpoint struct {
	origin    string
	tree      tlog.Tree
	logs      []string
	witnesses []string
}

func (r *reader) open(data []byte) (*checkpoint, error) {
	opened, err := note.Open(data, r.known)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) != 4 || lines[3] != "" {
		return nil, errors.New("a checkpoint has three lines")
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return nil, errors.New("no tree size")
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return nil, err
	}
	found := &checkpoint{origin: lines[0], tree: tlog.Tree{N: size, Hash: root}}
	for _, one := range opened.Sigs {
		switch {
		case r.witnesses[key(one.Name, one.Hash)]:
			found.witnesses = append(found.witnesses, one.Name)
		case one.Name == found.origin:
			found.logs = append(found.logs, one.Name)
		default:
			return nil, fmt.Errorf("signed by %s, which is not its origin", one.Name)
		}
	}
	if len(found.logs) == 0 {
		return nil, errors.New("not signed by the log")
	}
	if len(found.witnesses) < r.quorum {
		return nil, fmt.Errorf("%d witnesses of %d", len(found.witnesses), r.quorum)
	}
	return found, nil
}

func key(name string, hash uint32) string { return fmt.Sprintf("%s+%08x", name, hash) }

func believe(logs, witnesses list, quorum int) (*reader, error) {
	var known []note.Verifier
	believed := &reader{witnesses: map[string]bool{}, quorum: quorum}
	for _, one := range logs {
		verifier, err := note.NewVerifier(one)
		if err != nil {
			return nil, err
		}
		known = append(known, verifier)
	}
	for _, one := range witnesses {
		verifier, err := newCosigner(one)
		if err != nil {
			return nil, err
		}
		known = append(known, verifier)
		believed.witnesses[key(verifier.name, verifier.hash)] = true
	}
	believed.known = note.VerifierList(known...)
	return believed, nil
}
