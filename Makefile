# make demo   install what is missing, build, and let the model that ships write, continue and learn
# make test   install what is missing, build everything with warnings as errors, run all tests
# make wheel  install what is missing, and build the Python package: out/wheel/continuo-*.whl
# make studio install what is missing, and build out/studio.html: the studio as one file, engine and model inside
# make check  check format, layers, width of prose, clang-tidy on changed files, JavaScript
# make build  build the programs into build/bin
# make clean  remove build/ and out/

.PHONY: demo test wheel studio check build bootstrap clean

# The first pieces come before LibTorch is fetched and the programs that need it are built.
demo:
	tools/bootstrap.sh --no-torch
	cmake --preset release --log-level=WARNING
	cmake --build --preset release --target continuo
	tools/demo.sh write
	$(MAKE) build
	tools/demo.sh train

test:
	tools/bootstrap.sh --page-tests --python --api-tests
	cmake --preset release --log-level=NOTICE -DCONTINUO_WARNINGS_AS_ERRORS=ON
	cmake --build --preset release
	ctest --preset release -j $$(nproc)

wheel:
	tools/bootstrap.sh --python
	cmake --preset release --log-level=WARNING
	cmake --build --preset release --target wheel
	mkdir -p out/wheel && rm -f out/wheel/*.whl && cp build/wheel/*.whl out/wheel
	@ls out/wheel/*.whl

studio:
	tools/bootstrap.sh --no-torch --wasm
	cmake --preset release --log-level=WARNING
	cmake --build --preset release --target continuo
	cmake --preset wasm --log-level=WARNING
	cmake --build --preset wasm --target continuo_wasm
	tools/studio.sh build build-wasm out

check:
	tools/bootstrap.sh --no-torch --checks
	tools/check.sh

build: bootstrap
	cmake --preset release --log-level=NOTICE
	cmake --build --preset release --target programs

bootstrap:
	tools/bootstrap.sh

clean:
	rm -rf build out
