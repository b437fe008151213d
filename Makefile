# make demo   install what is missing, build, and let the model that ships write, continue and learn
# make test   install what is missing, build everything, run all tests and checks
# make build  build both programs into build/bin
# make clean  remove build/ and out/

.PHONY: demo test build bootstrap clean

demo: build
	tools/demo.sh

test:
	tools/bootstrap.sh --page-tests
	cmake --preset release --log-level=NOTICE
	cmake --build --preset release
	tools/check_layers.py
	ctest --preset release -j $$(nproc)

build: bootstrap
	cmake --preset release --log-level=NOTICE
	cmake --build --preset release --target programs

bootstrap:
	tools/bootstrap.sh

clean:
	rm -rf build out
