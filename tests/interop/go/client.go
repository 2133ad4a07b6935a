// Client reads a log as an auditor would who has none of our code: golang.org/x/mod's note and tlog, the tlog-tiles paths,
// and a verifier for cosignatures. It ends with one line of JSON, or with what is wrong and status 1.
//
//	client -log VKEY... [-witness VKEY...] [-quorum K] [-old FILE...] [-proof FILE...] [-request FILE...] BASE-URL
//
// -old: a checkpoint kept from earlier. -proof: a tlog-proof. -request: the body of an add-checkpoint request, for its
// consistency proof.
//
// With -judge alone it reads cases from its input and says of each whether Go's packages take it: see judge.go.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

type list []string

func (l *list) String() string         { return strings.Join(*l, " ") }
func (l *list) Set(value string) error { *l = append(*l, value); return nil }

// tiles reads tlog-tiles over HTTP: their paths leave out the height.
type tiles struct {
	base   string
	client *http.Client
	kept   map[tlog.Tile][]byte
	proven map[tlog.Tile]bool
}

func (t *tiles) Height() int { return height }

func (t *tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	found := make([][]byte, len(wanted))
	for at, one := range wanted {
		data, ok := t.kept[one]
		if !ok {
			var err error
			path := strings.Replace(one.Path(), fmt.Sprintf("tile/%d/", height), "tile/", 1)
			if data, err = t.get(path, "application/octet-stream"); err != nil {
				return nil, err
			}
			t.kept[one] = data
		}
		found[at] = data
	}
	return found, nil
}

func (t *tiles) SaveTiles(proven []tlog.Tile, data [][]byte) {
	for _, one := range proven {
		t.proven[one] = true
	}
}

func (t *tiles) get(path, kind string) ([]byte, error) {
	answer, err := t.client.Get(t.base + "/" + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	data, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: status %d", path, answer.StatusCode)
	}
	if found := answer.Header.Get("Content-Type"); found != kind {
		return nil, fmt.Errorf("%s: %s, not %s", path, found, kind)
	}
	return data, nil
}

// entries reads the bundle of level 0's tile n and holds each entry against its leaf hash.
func (t *tiles) entries(n int64, leaves []tlog.Hash) error {
	tile := tlog.Tile{H: height, L: -1, N: n, W: len(leaves)}
	path := strings.Replace(tile.Path(), fmt.Sprintf("tile/%d/data/", height), "tile/entries/", 1)
	data, err := t.get(path, "application/octet-stream")
	if err != nil {
		return err
	}
	for at, leaf := range leaves {
		if len(data) < 2 || len(data) < 2+int(binary.BigEndian.Uint16(data)) {
			return fmt.Errorf("%s: ends before entry %d", path, at)
		}
		end := 2 + int(binary.BigEndian.Uint16(data))
		if tlog.RecordHash(data[2:end]) != leaf {
			return fmt.Errorf("%s: entry %d is not the one in the tree", path, at)
		}
		data = data[end:]
	}
	if len(data) != 0 {
		return fmt.Errorf("%s: more than %d entries", path, len(leaves))
	}
	return nil
}

type report struct {
	Origin      string   `json:"origin"`
	Size        int64    `json:"size"`
	Logs        int      `json:"logs"`
	Witnesses   []string `json:"witnesses"`
	Tiles       int      `json:"tiles"`
	Bundles     int      `json:"bundles"`
	Inclusion   int      `json:"inclusion"`
	Consistency int      `json:"consistency"`
}

func main() {
	var logs, witnesses, olds, proofs, requests list
	flag.Var(&logs, "log", "")
	flag.Var(&witnesses, "witness", "")
	flag.Var(&olds, "old", "")
	flag.Var(&proofs, "proof", "")
	flag.Var(&requests, "request", "")
	quorum := flag.Int("quorum", 0, "")
	judging := flag.Bool("judge", false, "")
	flag.Parse()
	if *judging {
		judge(os.Stdin, os.Stdout)
		return
	}
	found, err := run(flag.Arg(0), logs, witnesses, *quorum, olds, proofs, requests)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	json.NewEncoder(os.Stdout).Encode(found)
}

func run(base string, logs, witnesses list, quorum int, olds, proofs, requests list) (*report, error) {
	believed, err := believe(logs, witnesses, quorum)
	if err != nil {
		return nil, err
	}
	source := &tiles{
		strings.TrimSuffix(base, "/"), &http.Client{Timeout: 10 * time.Second}, map[tlog.Tile][]byte{}, map[tlog.Tile]bool{},
	}
	data, err := source.get("checkpoint", "text/plain; charset=utf-8")
	if err != nil {
		return nil, err
	}
	latest, err := believed.open(data)
	if err != nil {
		return nil, fmt.Errorf("checkpoint: %w", err)
	}
	found := &report{Origin: latest.origin, Size: latest.tree.N, Logs: len(latest.logs), Witnesses: latest.witnesses}
	hashes := tlog.TileHashReader(latest.tree, source)
	leaves, err := everything(source, hashes, latest.tree, found)
	if err != nil {
		return nil, err
	}
	if err := proveAll(latest.tree, hashes, leaves, found); err != nil {
		return nil, err
	}
	for _, name := range olds {
		if err := continues(believed, name, latest, hashes, found); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range proofs {
		if err := included(believed, name, leaves, found); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	for _, name := range requests {
		if err := requested(believed, name, hashes, found); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return found, nil
}

// everything reads each tile and each bundle of the tree, and returns the leaf hashes.
func everything(source *tiles, hashes tlog.HashReader, tree tlog.Tree, found *report) ([]tlog.Hash, error) {
	size := tree.N
	indexes := make([]int64, size)
	for at := range indexes {
		indexes[at] = tlog.StoredHashIndex(0, int64(at))
	}
	if size == 0 {
		return nil, nil
	}
	leaves, err := hashes.ReadHashes(indexes)
	if err != nil {
		return nil, err
	}
	expected := 0
	for level := size; level > 0; level >>= height {
		expected += int((level + 1<<height - 1) >> height)
	}
	if found.Tiles = len(source.proven); found.Tiles != expected {
		return nil, fmt.Errorf("%d tiles were proven, not %d", found.Tiles, expected)
	}
	if err := rebuilt(source, leaves, tree); err != nil {
		return nil, err
	}
	for from := int64(0); from < size; from += 1 << height {
		to := from + 1<<height
		if to > size {
			to = size
		}
		if err := source.entries(from>>height, leaves[from:to]); err != nil {
			return nil, err
		}
		found.Bundles++
	}
	return leaves, nil
}

// rebuilt makes the whole tree of the leaves again and holds each tile against it. Before version 0.40 the TileHashReader
// leaves as many full tiles unproven as there are tiles it needs twice to prove the root (CVE-2026-56865).
func rebuilt(source *tiles, leaves []tlog.Hash, tree tlog.Tree) error {
	var stored []tlog.Hash
	own := tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		found := make([]tlog.Hash, len(indexes))
		for at, index := range indexes {
			found[at] = stored[index]
		}
		return found, nil
	})
	for at, leaf := range leaves {
		more, err := tlog.StoredHashesForRecordHash(int64(at), leaf, own)
		if err != nil {
			return err
		}
		stored = append(stored, more...)
	}
	if root, err := tlog.TreeHash(tree.N, own); err != nil || root != tree.Hash {
		return fmt.Errorf("inconsistent tiles: they do not make up the tree (%v)", err)
	}
	for tile := range source.proven {
		if data, err := tlog.ReadTileData(tile, own); err != nil || !bytes.Equal(data, source.kept[tile]) {
			return fmt.Errorf("inconsistent tile %s (%v)", tile.Path(), err)
		}
	}
	return nil
}

// proveAll makes and checks inclusion and consistency proofs: all in small trees, some and the edges in large ones.
func proveAll(tree tlog.Tree, hashes tlog.HashReader, leaves []tlog.Hash, found *report) error {
	step := tree.N/1024 + 1
	for at := int64(0); at < tree.N; at++ {
		if at%step != 0 && at > 2 && at < tree.N-2 {
			continue
		}
		proof, err := tlog.ProveRecord(tree.N, at, hashes)
		if err != nil {
			return err
		}
		if err := tlog.CheckRecord(proof, tree.N, tree.Hash, at, leaves[at]); err != nil {
			return fmt.Errorf("inclusion of %d: %w", at, err)
		}
		found.Inclusion++
		old, err := tlog.TreeHash(at+1, hashes)
		if err != nil {
			return err
		}
		if err := grown(tree, tlog.Tree{N: at + 1, Hash: old}, hashes); err != nil {
			return fmt.Errorf("consistency from %d: %w", at+1, err)
		}
		found.Consistency++
	}
	return nil
}

func grown(tree, old tlog.Tree, hashes tlog.HashReader) error {
	proof, err := tlog.ProveTree(tree.N, old.N, hashes)
	if err != nil {
		return err
	}
	return tlog.CheckTree(proof, tree.N, tree.Hash, old.N, old.Hash)
}

func continues(believed *reader, name string, latest *checkpoint, hashes tlog.HashReader, found *report) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	old, err := believed.open(data)
	if err != nil {
		return err
	}
	if old.origin != latest.origin {
		return errors.New("a checkpoint of another log")
	}
	found.Consistency++
	return grown(latest.tree, old.tree, hashes)
}
