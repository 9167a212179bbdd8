"""What the page says beside its pictures, each with the file and the test where the thing itself is found."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Lesson:
    """A piece of the page; ``picture`` is the beginning of a file's name, of which there is one for each data set."""

    title: str
    text: str
    see: str
    files: tuple[str, ...]
    tests: tuple[str, ...]
    picture: str


LESSONS = (
    Lesson(
        "A flow pushes noise forward to data",
        "A <em>continuous normalizing flow</em> is an equation, <i>dx/dt = v(x, t)</i>. Points drawn from a normal density "
        "at <i>t</i> = 0 follow the <em>vector field</em> <i>v</i>, and where they are at <i>t</i> = 1 is the model's idea of "
        "the data: the <em>push-forward</em> of the noise. Between them lies a whole path of densities. A flow can be gone "
        "through backwards, so it also says how probable a point is: <i>log p(x<sub>1</sub>) = log N(x<sub>0</sub>) &minus; "
        "&int; div v dt</i>, the instantaneous change of variables.",
        "Each row is one way to learn the same data. The lower three end alike and go differently: VP stays noise for more than "
        "half of the time and decides late. Maximum likelihood, which nobody told how to go, takes any way at all, and was not "
        "finished when its time was over.",
        ("tts_fm/flow/solvers/__init__.py", "tts_fm/flow/likelihood.py"),
        (
            "tests/test_flow_sampling.py::test_the_flow_of_a_mixture_ends_in_the_mixture",
            "tests/test_likelihood.py::test_the_exact_divergence_gives_the_closed_form",
        ),
        "density",
    ),
    Lesson(
        "Maximum likelihood, and why it was replaced",
        "The first way to learn <i>v</i> was to solve the equation from the data back to noise, take <i>&minus;log "
        "p(x<sub>1</sub>)</i> as the loss, and send the gradient through the solver by the adjoint method. Nothing has to be "
        "stored on the way, but every update evaluates the field, its divergence and their derivatives dozens of times. "
        "<em>Flow matching</em> evaluates the field once: it draws a <i>t</i> and regresses <i>v</i> at one point.",
        "All four methods were given the same network, the same batches and the same CPU time. Seconds are on the axis, so what "
        "an update costs is in the picture: see how few of them maximum likelihood gets to make.",
        ("tts_fm/flow/maximum_likelihood.py", "tts_fm/flow/objective.py"),
        (
            "tests/test_maximum_likelihood.py::test_the_adjoint_gradient_is_the_one_through_a_fine_solver",
            "tests/test_maximum_likelihood.py::test_memory_does_not_grow_with_the_evaluations",
        ),
        "training",
    ),
    Lesson(
        "Conditional paths: what training is shown",
        "Which field should be regressed? Nobody knows the one that moves all of the data. But for one noise "
        "<i>x<sub>0</sub></i> and one data point <i>x<sub>1</sub></i> a <em>probability path</em> is easy: <i>x<sub>t</sub> = "
        "&alpha;(t) x<sub>1</sub> + &sigma;(t) x<sub>0</sub></i>, with velocity <i>&alpha;&prime; x<sub>1</sub> + &sigma;&prime; "
        "x<sub>0</sub></i>. That is <em>conditional flow matching</em>. The network cannot know which pair a point came from, "
        "so the least square error makes it answer the mean over all pairs that pass there, and that mean is exactly the field "
        "that moves the whole density. It is the reason why the method works.",
        "The upper ways cross, for each pair goes its own way. The lower ways never cross: they follow one field. Paired by "
        "<em>optimal transport within the batch</em>, hardly any way is shown crossing another, hardly anything has to be "
        "averaged, and what is learned is almost straight.",
        ("tts_fm/flow/paths/cond_ot.py", "tts_fm/flow/paths/vp.py", "tts_fm/flow/couplings/minibatch_ot.py"),
        (
            "tests/test_flow_sampling.py::test_a_network_learns_the_marginal_velocity",
            "tests/test_couplings.py::test_optimal_transport_makes_the_flow_straighter",
        ),
        "ways",
    ),
    Lesson(
        "The vector field",
        "The field is all that a flow-matching network is. It is defined everywhere and at every time, also where no data ever "
        "are; arrows are drawn in proportion within each panel, on the density of that time.",
        "Near <i>t</i> = 0 the field of conditional OT points towards the mean of the data, for noise tells nothing yet. Later "
        "it splits, and every region gets its own goal. With minibatch OT the goal is clear from the beginning.",
        ("tts_fm/types.py", "tts_fm/flow/objective.py"),
        (
            "tests/test_flow_sampling.py::test_a_network_learns_the_marginal_velocity",
            "tests/test_flow.py::test_the_loss_is_the_mean_square_over_target_frames_only",
        ),
        "field",
    ),
    Lesson(
        "Its relation to diffusion",
        "A diffusion model is a flow on a particular path. On any path velocity, noise, clean sample and score tell each other, "
        "so one trained network can be sampled without noise, as an ordinary equation, or with noise added on the way and taken "
        "away again by the score, as a stochastic one. Both have the same density at every time.",
        "The same VP network twice. As a flow its ways are smooth and an end belongs to its beginning; as a diffusion they "
        "tremble and forget where they began. The densities where both end would be the same if the network were exact.",
        ("tts_fm/flow/sde.py", "tts_fm/flow/parametrization.py"),
        (
            "tests/test_flow_sampling.py::test_the_diffusion_of_a_mixture_ends_in_the_mixture",
            "tests/test_flow_sampling.py::test_a_diffusion_forgets_its_start_and_a_flow_does_not",
        ),
        "diffusion",
    ),
    Lesson(
        "Solvers: what a sample costs",
        "To sample is to solve the equation, and each evaluation of the field is a run of the network. A method of a higher "
        "order wins where ways are smooth; on straight and steady ways a single step is exact, whatever the method. Evaluations "
        "are counted while solving, the grid is uniform, and dopri5 chooses its own steps.",
        "With minibatch OT four evaluations do nearly as well as sixty-four, by any solver. The curved ways of VP need more, and "
        "need them most near the data. No solver can get below what the network has learned, which is where the lines become "
        "level.",
        ("tts_fm/flow/solvers/euler.py", "tts_fm/flow/solvers/dopri5.py", "tts_fm/flow/time_grid.py"),
        (
            "tests/test_flow_solvers.py::test_the_error_shrinks_with_the_claimed_order",
            "tests/test_flow_solvers.py::test_a_step_costs_the_claimed_evaluations",
        ),
        "solvers",
    ),
)
