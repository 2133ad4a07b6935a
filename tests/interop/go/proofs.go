package main

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"
)

// included checks a tlog-proof against the entry at its index.
func included(believed *reader, name string, leaves []tlog.Hash, found *report) error {
	lines, signed, err := parts(name)
	if err != nil {
		return err
	}
	if len(lines) > 1 && strings.HasPrefix(lines[1], "extra ") { // proven by nothing
		lines = append(lines[:1], lines[2:]...)
	}
	if len(lines) < 2 || lines[0] != "c2sp.org/tlog-proof@v1" || !strings.HasPrefix(lines[1], "index ") {
		return errors.New("no tlog-proof")
	}
	index, err := strconv.ParseInt(strings.TrimPrefix(lines[1], "index "), 10, 64)
	if err != nil || index < 0 || index >= int64(len(leaves)) {
		return errors.New("no index")
	}
	path, err := parseHashes(lines[2:])
	if err != nil {
		return err
	}
	of, err := believed.open(signed)
	if err != nil {
		return err
	}
	found.Inclusion++
	return tlog.CheckRecord(tlog.RecordProof(path), of.tree.N, of.tree.Hash, index, leaves[index])
}

// requested checks the consistency proof of an add-checkpoint request.
func requested(believed *reader, name string, hashes tlog.HashReader, found *report) error {
	lines, signed, err := parts(name)
	if err != nil {
		return err
	}
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if err != nil || old < 1 {
		return errors.New("no old size")
	}
	proof, err := parseHashes(lines[1:])
	if err != nil {
		return err
	}
	of, err := (&reader{believed.known, believed.witnesses, 0}).open(signed)
	if err != nil {
		return err
	}
	root, err := tlog.TreeHash(old, hashes)
	if err != nil {
		return err
	}
	found.Consistency++
	return tlog.CheckTree(tlog.TreeProof(proof), of.tree.N, of.tree.Hash, old, root)
}

func parts(name string) (lines []string, signed []byte, err error) {
	data, err := os.ReadFile(name)
	if err != nil {
		return nil, nil, err
	}
	split := bytes.Index(data, []byte("\n\n"))
	if split < 0 {
		return nil, nil, errors.New("no empty line")
	}
	return strings.Split(string(data[:split]), "\n"), data[split+2:], nil
}

func parseHashes(lines []string) ([]tlog.Hash, error) {
	var found []tlog.Hash
	for _, line := range lines {
		one, err := tlog.ParseHash(line)
		if err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}
