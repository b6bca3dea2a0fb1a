import unicodedata

import pytest


@pytest.mark.parametrize(
    ("target", "image", "rule"),
    [
        ("img/a.png", "docs/guide/img/a.png", "exact"),
        ("./img/../a.png", "docs/guide/a.png", "exact"),
        ("../a.png", "docs/a.png", "exact"),
        ("IMG/A.PNG", "docs/guide/img/a.png", "case_insensitive"),
        ("my%20pic.png", "docs/guide/my pic.png", "url_decoded"),
        ("VD%20Sensor.PNG", "docs/guide/vd sensor.png", "url_decoded+case_insensitive"),
        ("100%25.png", "docs/guide/100%25.png", "exact"),
        ("a.png?raw=true", "docs/guide/a.png", "query_stripped"),
        ("a.png#gh-dark-mode-only", "docs/guide/a.png", "query_stripped"),
        ("c#.png", "docs/guide/c#.png", "exact"),
        ("..\\img\\a.png", "docs/img/a.png", "backslash"),
        ("c++ & d.png", "docs/guide/c++ & d.png", "exact"),
        ("c &amp; d.png", "docs/guide/c & d.png", "exact"),
        ("/guide/a.png", "docs/guide/a.png", "site_root"),
        ("/GUIDE/a.png", "docs/guide/a.png", "site_root+case_insensitive"),
        ("~/guide/a.png", "docs/guide/a.png", "site_root"),
        ("{{ site.baseurl }}/img/a.png", "docs/img/a.png", "liquid"),
        ("{{site.url}}{{site.baseurl}}/img/a.png", "docs/img/a.png", "liquid"),
        ("{{ '/img/a.png' | relative_url }}", "docs/img/a.png", "liquid"),
        ("{% link img/a.png %}", "docs/img/a.png", "liquid"),
        ("{static}/img/a.png", "docs/img/a.png", "liquid"),
        ("{attach}a.png", "docs/guide/a.png", "liquid"),
        ("|filename|/img/a.png", "docs/img/a.png", "liquid"),
        ("/img/a.png", "docs/static/img/a.png", "static_folder"),
        ("/img/a.png", "docs/guide/public/img/a.png", "static_folder"),
        ("@site/static/img/a.png", "docs/static/img/a.png", "site_root"),
    ],
)
@pytest.mark.parametrize("page", ["docs/guide/page.html", "docs/guide/page.md"])
def test_a_target_is_found_as_a_web_server_would(resolve, target, image, rule, page):
    if page.endswith("md") and ("\\" in target or "++ " in target):
        pytest.skip("Markdown reads these characters itself")
    assert resolve(target, image, page=page) == ("ok", image.removeprefix("docs/"), rule)


def test_composed_and_decomposed_names_are_the_same(resolve):
    composed, decomposed = (unicodedata.normalize(form, "é.png") for form in ("NFC", "NFD"))
    status, path, rule = resolve(composed, f"docs/guide/{decomposed}")
    assert (status, rule) == ("ok", "unicode_normalized")
    assert path == f"guide/{decomposed}"


def test_the_exact_name_wins_over_one_in_other_case(resolve):
    assert resolve("B.png", "docs/guide/b.png", "docs/guide/B.png")[1] == "guide/B.png"


def test_as_written_is_tried_before_decoded(resolve):
    assert resolve("a%20b.png", "docs/guide/a%20b.png", "docs/guide/a b.png")[1] == "guide/a%20b.png"


def test_the_longest_site_root_wins_and_the_documents_root_is_the_fallback(read):
    roots = {"/": "site", "/x/": "site/other", "~/": "media"}
    files = {
        "docs/a.html": '<img src="/x/1.png">\n<img src="/2.png">\n<img src="~/3.png">\n<img src="/4.png">',
        **dict.fromkeys(["docs/site/other/1.png", "docs/site/x/1.png", "docs/site/2.png", "docs/media/3.png"]),
        "docs/4.png": None,
    }
    found = read(files, documents=[{"root": "docs", "site_roots": roots}]).references["image_path"].to_list()
    assert found == ["site/other/1.png", "site/2.png", "media/3.png", "4.png"]


@pytest.mark.parametrize(
    "target",
    [
        "../../etc/passwd",
        "../../../../../../etc/passwd",
        "%2e%2e/%2e%2e/%2e%2e/etc/passwd",
        "/etc/passwd.png",
        "/home/me/a.png",
        "file:///srv/a.png",
        "C:\\Users\\me\\a.png",
        "../../secret.png",
    ],
)
def test_nothing_outside_is_reached(resolve, target):
    assert resolve(target, "secret.png") == ("outside_root", None, None)


def test_a_climb_above_the_root_is_refused_though_the_name_exists_inside(resolve):
    assert resolve("../../assets/a.png", "docs/assets/a.png", page="docs/page.md")[0] == "outside_root"


def test_links_that_leave_the_root_are_outside_and_links_inside_lead_on(read, tmp_path, write):
    write({"secret.png": None, "docs/v2/a.png": None})
    (tmp_path / "docs/leak.png").symlink_to(tmp_path / "secret.png")
    (tmp_path / "docs/away").symlink_to(tmp_path)
    (tmp_path / "docs/latest").symlink_to(tmp_path / "docs/v2")
    text = '<img src="leak.png">\n<img src="away/secret.png">\n<img src="latest/a.png">'
    found = read({"docs/a.html": text}).references.select("status", "image_path", "resolution").rows()
    assert found[:2] == [("outside_root", None, None)] * 2
    assert found[2] == ("ok", "v2/a.png", "symlink")


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("https://example.org/a.png", "remote"),
        ("//cdn.example.org/a.png", "remote"),
        ("none.png", "missing"),
        ("noextension", "missing"),
        ("movie.mp4", "unsupported"),
    ],
)
def test_what_is_not_here_says_why(resolve, target, status):
    assert resolve(target) == (status, None, None)


def test_data_is_unsupported_and_cut(read):
    row = read({"docs/a.html": f'<img src="data:image/png;base64,{"A" * 500}">'}).references.row(0, named=True)
    assert (row["status"], row["kind"], len(row["target"])) == ("unsupported", "html_img", 100)


def test_a_base_address_is_honoured(read):
    files = {"docs/a.html": '<base href="img/"><img src="a.png">', "docs/img/a.png": None, "docs/a.png": None}
    assert read(files).references["image_path"].to_list() == ["img/a.png"]


def test_an_image_of_another_inventory_is_reached_by_its_place_on_disk(resolve):
    found = resolve("../../media/a.png", "media/a.png", images=[{"folder": "media", "name": "pictures"}])
    assert found == ("ok", "pictures/a.png", "exact")


def test_a_static_folder_beside_the_documents_serves_the_site(resolve):
    sections = {"images": [{"folder": "static"}]}
    assert resolve("/img/a.png", "static/img/a.png", **sections) == ("ok", "static/img/a.png", "static_folder")
    assert resolve("@site/static/img/a.png", "static/img/a.png", **sections)[:2] == ("ok", "static/img/a.png")


def test_a_wiki_image_is_found_by_its_name(read):
    found = read({"docs/a/b.md": "![[x y.png|300]]\n", "docs/files/x y.png": None}).references.row(0, named=True)
    assert (found["status"], found["image_path"], found["resolution"]) == ("ok", "files/x y.png", "wiki_name")


def test_sphinx_finds_the_extension_itself(read):
    found = read({"docs/a.rst": ".. image:: a.*\n", "docs/a.png": None, "docs/a.gif": None}).references
    assert found.select("image_path", "resolution").rows() == [("a.png", "wildcard")]


def test_a_site_absolute_path_starts_at_the_folder_with_the_sphinx_configuration(read):
    files = {"docs/manual/conf.py": "", "docs/manual/x/a.rst": ".. image:: /img/a.png\n", "docs/manual/img/a.png": None}
    assert read(files).references["image_path"].to_list() == ["manual/img/a.png"]


def test_links_resolve_but_are_no_embedding(read):
    files = {"docs/a.md": "[x](a.png) ![y](b.png)\n", "docs/a.png": None, "docs/b.png": None}
    found = read(files).references.select("kind", "status", "image_path").sort("kind").rows()
    assert found == [("link", "not_embedded", "a.png"), ("md_image", "ok", "b.png")]


@pytest.mark.parametrize("target", ["{{ page.cover }}", "{{ page.cover | absolute_url }}", "{logo}"])
def test_an_address_that_only_the_site_can_work_out_is_not_called_missing(resolve, target):
    assert resolve(target) == ("unsupported", None, None)
