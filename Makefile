# The book's commands; `make help` lists them. Works with GNU make 3.81 and later, on Linux and macOS.
#
# make book and make serve need the light environment .venv-book (requirements-book.txt); make test and make notebooks
# the full one, .venv (requirements.txt). Each is made once, and again when its list of pins changes.

PORT ?= 8000

# The first interpreter that the pins are tested with, or whatever PYTHON=... names.
TESTED := (3, 11) <= sys.version_info[:2] <= (3, 13)
PYTHON ?= $(firstword $(foreach name,python3 python3.13 python3.12 python3.11,\
            $(shell $(name) -c 'import sys; $(TESTED) and print("$(name)")' 2>/dev/null)) python3)
NEED_PYTHON = $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
  echo "Python 3.11 or newer is needed, and '$(PYTHON)' is not: name one, as in make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }

TORCH = $(shell grep '^torch==' requirements.txt)
INSTALL_TORCH = -m pip install -qq --no-deps $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) $(TORCH) || { \
  echo "$(TORCH) could not be installed for this Python and machine: see the message above; TORCH_INDEX=... names another index (README.md)" >&2; exit 1; }

SITE = _build/html/index.html
SITE_TOOLS = $(addprefix code/authoring/,site.py notebooks.py equations.py equations.toml)
SITE_SOURCES = $(shell find _config.yml _toc.yml book $(SITE_TOOLS) code/ropebook/figures -type f ! -name '.*' ! -name '*.pyc')

.PHONY: book serve test colab notebooks address diffs clean help

book: $(SITE)  ## build the site and print where to open it
	@echo "open file://$(CURDIR)/$(SITE)"

# Always from scratch: a page that is gone from the sources is gone from the site, and no warning hides in a cache.
$(SITE): .venv-book/.complete $(SITE_SOURCES)
	@.venv-book/bin/python code/authoring/notebooks.py check
	@.venv-book/bin/python code/authoring/equations.py
	@rm -rf _build/html _build/.doctrees
	@.venv-book/bin/jupyter-book build . -q -W -n --keep-going >/dev/null || { rm -rf _build/html; exit 1; }
	@touch $@

serve: $(SITE)  ## build the site and serve it on http://localhost:8000 (PORT=...)
	@echo "The book is at http://localhost:$(PORT)/ (stop with Ctrl-C)"
	@.venv-book/bin/python -m http.server --bind 127.0.0.1 --directory _build/html $(PORT) >/dev/null

# Everything that is claimed: the library, the site in a real browser, every notebook's outputs. COLAB=1 adds the simulated Colab.
test: $(SITE) .venv/.complete  ## run all tests; TORCH_INDEX=... takes torch from another index, COLAB=1 adds `make colab`
	@OMP_NUM_THREADS=1 .venv/bin/python -m pytest tests book --nbval --nbval-current-env \
	  --nbval-sanitize-with tests/nbval.cfg --nbval-cell-timeout 600 -n 2 --dist loadscope -q -p no:cacheprovider
	@$(if $(COLAB),$(MAKE) --no-print-directory colab)

colab: .venv-colab/.complete .venv/.complete  ## run every chapter in a simulated Colab
	@.venv/bin/python code/authoring/colab.py

notebooks: .venv/.complete  ## run and normalise the notebooks (FILES="book/03_rotation.ipynb ...": only these)
	@.venv/bin/python code/authoring/notebooks.py run $(FILES)

address: .venv-book/.complete  ## write the address of _config.yml into Colab links and install cells
	@.venv-book/bin/python code/authoring/address.py

diffs:  ## let `git diff` in this clone show notebooks as cells
	@git config diff.notebook.textconv "python3 code/authoring/textview.py"

clean:  ## remove the built site and the environments
	@rm -rf _build .venv .venv-book .venv-colab

help:  ## list the commands
	@awk -F ':.*##' '/^[a-z]+:.*##/ { printf "make %-10s%s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

.venv-book/.complete: requirements-book.txt
	@$(NEED_PYTHON)
	@.venv-book/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-book
	@echo "Installing what building the site takes into .venv-book (once)"
	@.venv-book/bin/python -m pip install -qq -r requirements-book.txt
	@touch $@

.venv/.complete: requirements.txt pyproject.toml
	@$(NEED_PYTHON)
	@.venv/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv
	@echo "Installing the full environment into .venv (once)"
	@.venv/bin/python $(INSTALL_TORCH)
	@.venv/bin/python -m pip install -qq -r requirements.txt
	@.venv/bin/python -m pip install -qq --no-deps --no-build-isolation -e .
	@touch $@

.venv-colab/.complete: code/authoring/colab-constraints.txt requirements.txt
	@$(NEED_PYTHON)
	@.venv-colab/bin/python -m pip --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear .venv-colab
	@echo "Installing Colab's versions into .venv-colab (once)"
	@.venv-colab/bin/python $(INSTALL_TORCH)
	@.venv-colab/bin/python -m pip install -qq -r code/authoring/colab-constraints.txt $(TORCH)
	@rm -rf .venv-colab/wheels
	@.venv-colab/bin/python -m pip download -qq --no-deps -d .venv-colab/wheels -c requirements.txt sacrebleu portalocker colorama
	@touch $@
