"""A change of theme in a page with a widget."""

THEMES_HEARD_OF = """async ([widget, part, method]) => {
    let asked = 0;
    const target = eval(part);
    const own = target[method].bind(target);
    target[method] = (...all) => { asked += 1; return own(...all); };
    const frame = () => new Promise(done => requestAnimationFrame(() => setTimeout(done)));
    const changed = async light => {
        for (let i = 0; i < 3; i++) await frame();
        asked = 0;
        document.body.dataset.jpThemeLight = light;
        for (let i = 0; i < 3; i++) await frame();
        return asked > 0;
    };
    const there = await changed("false");
    eval(widget).remove();
    return { there, gone: await changed("true") };
}"""
"""A part of a widget draws anew when JupyterLab's theme changes: while the widget is there, and after its end."""
