package scenario

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// setScalar sets a value from its written form. The error says what was wanted.
func setScalar(v reflect.Value, text string) error {
	wrong := fmt.Errorf("want %s, got %q", kindName(v.Type()), clip(text))
	switch {
	case v.Type() == reflect.TypeFor[time.Duration]():
		x, err := time.ParseDuration(text)
		if err != nil {
			return wrong
		}
		v.SetInt(int64(x))
		return nil
	case v.Type() == reflect.TypeFor[Target]():
		x, err := ParseTarget(text)
		if err != nil {
			return err
		}
		v.Set(reflect.ValueOf(x))
		return nil
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(text)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return wrong
		}
		v.SetBool(text == "true")
	case reflect.Int:
		x, err := strconv.ParseInt(strings.ReplaceAll(text, "_", ""), 10, 32)
		if err != nil {
			return wrong
		}
		v.SetInt(x)
	case reflect.Uint64:
		x, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			return wrong
		}
		v.SetUint(x)
	case reflect.Float64:
		x, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(x) || math.IsInf(x, 0) {
			return wrong
		}
		v.SetFloat(x)
	default:
		panic("scenario: a field of type " + v.Type().String())
	}
	return nil
}

// setDefaults sets every field of a struct to its default, the structs in it
// included. It is the only place where defaults are applied to single keys.
func setDefaults(v reflect.Value) {
	for _, f := range fields(v.Type()) {
		fv := v.FieldByIndex(f.Index)
		text, has := f.Tag.Lookup("default")
		switch {
		case fv.Type() == reflect.TypeFor[Target]():
			fv.Set(reflect.ValueOf(Target{Index: -1, Rank: -1}))
		case fv.Kind() == reflect.Struct:
			setDefaults(fv)
			if has {
				short, _ := fieldByKey(fv.Type(), fv.Interface().(interface{ shorthand() string }).shorthand())
				mustSet(fv.FieldByIndex(short.Index), text)
			}
		case fv.Kind() == reflect.Slice && has:
			fv.Set(reflect.MakeSlice(fv.Type(), 1, 1))
			mustSet(fv.Index(0), text)
		case has:
			mustSet(fv, text)
		}
	}
}

func mustSet(v reflect.Value, text string) {
	if err := setScalar(v, text); err != nil {
		panic("scenario: default: " + err.Error())
	}
}

// fields are those with a key.
func fields(t reflect.Type) []reflect.StructField {
	var out []reflect.StructField
	for i := range t.NumField() {
		if f := t.Field(i); f.Tag.Get("yaml") != "" {
			out = append(out, f)
		}
	}
	return out
}

func fieldByKey(t reflect.Type, key string) (reflect.StructField, bool) {
	for _, f := range fields(t) {
		if f.Tag.Get("yaml") == key {
			return f, true
		}
	}
	return reflect.StructField{}, false
}

func keysOf(t reflect.Type) []string {
	var out []string
	for _, f := range fields(t) {
		out = append(out, f.Tag.Get("yaml"))
	}
	return out
}

func isScalar(n ast.Node) bool { _, ok := scalarText(n); return ok }

// scalarText is a scalar as it was written.
func scalarText(n ast.Node) (string, bool) {
	switch n := n.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.LiteralNode:
		return strings.TrimSpace(n.Value.Value), true
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		return n.GetToken().Value, true
	}
	return "", false
}

func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[time.Duration]():
		return "a duration such as 90s"
	case t == reflect.TypeFor[Target]():
		return "a target such as worker1"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Uint64:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	}
	return "a word"
}

func describe(n ast.Node) string {
	if text, ok := scalarText(n); ok {
		return strconv.Quote(clip(text))
	}
	switch n.Type() {
	case ast.MappingType, ast.MappingValueType:
		return "keys and values"
	case ast.SequenceType:
		return "a list"
	case ast.NullType:
		return "nothing"
	}
	return "something else"
}

// clip keeps messages short however long the input is.
func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}
