// From which side the spheres are seen; both pictures share one, so that they can be compared.

const HOME = { yaw: 0.35, pitch: 0.42 };

export class ViewAngle {
  constructor() {
    this.listeners = [];
    this.sway = 0;
    Object.assign(this, HOME);
  }

  home() {
    Object.assign(this, HOME, { sway: 0 });
    this.listeners.forEach((listener) => listener());
  }

  /** Turn by so many radians. */
  turn(yaw, pitch) {
    this.yaw += yaw;
    this.pitch = Math.max(-Math.PI / 2, Math.min(Math.PI / 2, this.pitch + pitch));
    this.listeners.forEach((listener) => listener());
  }

  /** The rotation, row after row: screen coordinates (right, up, towards the reader) of the three axes. */
  matrix() {
    const yaw = this.yaw + this.sway;
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(this.pitch), Math.sin(this.pitch)];
    return [cy, 0, sy, sp * sy, cp, -sp * cy, -cp * sy, sp, cp * cy];
  }
}
