// Package e2edynamo runs the built program against a real NVIDIA Dynamo: the
// frontend with its KV router and mocker workers from PyPI, both supported
// naming generations. Its tests need the build tag e2e_dynamo; make
// e2e-dynamo installs the deployment and sets everything.
//
// It tests no package from inside.
package e2edynamo
