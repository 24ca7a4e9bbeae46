/** Hear Python even if the browser was slow: see `slow_start_widget.py`. */
async function stayInTouch({ model }) {
  const whole = await model.widget_manager.get_model(model.get("own_id"));
  try {
    await whole._handle_comm_msg({ content: { data: { method: "nothing" } } }); // fails if anywidget has given up
  } catch {
    const { _handle_comm_msg: hear } = Object.getPrototypeOf(Object.getPrototypeOf(whole)); // ipywidgets' own
    whole.comm.on_msg(hear.bind(whole));
    whole.comm.send({ method: "request_state" }); // what was said meanwhile
  }
}

