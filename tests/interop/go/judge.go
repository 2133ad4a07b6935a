package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// judged is a note and who is known, or a proof: of inclusion where Leaf is given, else of consistency.
type judged struct {
	Note      []byte
	Logs      list
	Witnesses list

	Size, Old     int64
	Root, OldRoot []byte
	Leaf          []byte
	Proof         [][]byte
}

// judge answers each line of JSON with "true" or "false".
func judge(in io.Reader, out io.Writer) {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var one judged
		if err := json.Unmarshal(lines.Bytes(), &one); err != nil {
			panic(err)
		}
		fmt.Fprintln(out, one.taken())
	}
}

func (j *judged) taken() (taken bool) {
	if j.Note != nil {
		believed, err := believe(j.Logs, j.Witnesses, 0)
		if err != nil {
			panic(err)
		}
		_, err = believed.open(j.Note)
		return err == nil
	}
	var proof []tlog.Hash
	for _, one := range j.Proof {
		proof = append(proof, hash(one))
	}
	if j.Leaf != nil {
		return tlog.CheckRecord(proof, j.Size, hash(j.Root), j.Old, hash(j.Leaf)) == nil
	}
	return tlog.CheckTree(proof, j.Size, hash(j.Root), j.Old, hash(j.OldRoot)) == nil
}

func hash(data []byte) (found tlog.Hash) {
	copy(found[:], data)
	return found
}
